package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// handshakeTime is how long a client has for the handshake, before it costs the S3 server anything.
	handshakeTime = 10 * time.Second
	// retryTime is the pause after a connection that could not be taken.
	retryTime = 100 * time.Millisecond
	// requestTime is how long a client may be silent that has asked and has no answer.
	requestTime = time.Hour
)

// doors takes connections at the ports of the store and hands what they carry on to the S3 server's
// socket. The server itself knows either TLS or none on all its ports, and pods of release 0.2.0
// know none; and it would keep a connection whose client is silent for good.
type doors struct {
	socket string
	crowd  *crowd
	idle   time.Duration // how long a client may be silent after an answer
}

// serve answers on a port until the process ends, in TLS where there is a certificate.
func (d *doors) serve(port string, held *certificate) error {
	listener, err := net.Listen("tcp", port)
	if err != nil {
		return err
	}
	if held != nil {
		listener = tls.NewListener(listener, &tls.Config{
			GetCertificate: held.current,
			MinVersion:     tls.VersionTLS12,
			NextProtos:     []string{"http/1.1"},
		})
	}
	go d.takeAll(listener)
	return nil
}

// takeAll carries each connection that comes. Where none can be taken, as without a free file
// descriptor, it waits until others have ended.
func (d *doors) takeAll(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Print(err)
			time.Sleep(retryTime)
			continue
		}
		entered := d.crowd.enter(client)
		go func() {
			defer d.crowd.leave(entered)
			d.carry(entered)
		}()
	}
}

// carry hands on both directions of a connection until both have ended.
func (d *doors) carry(entered *guest) {
	client := entered.client
	defer client.Close()
	if !shakenHands(client) {
		return
	}
	opened, err := net.Dial("unix", d.socket)
	if err != nil {
		log.Print(err)
		return
	}
	server := opened.(*net.UnixConn)
	defer server.Close()
	turn := &turn{guest: entered, idle: d.idle}
	turn.wait()
	done := make(chan struct{})
	go func() {
		defer close(done)
		copyAll(server, asking{turn})
		_ = server.CloseWrite()
	}()
	copyAll(answering{turn}, server)
	if half, ok := client.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	// A client that leaves its connection open does not hold what the server has ended.
	turn.end(handshakeTime)
	<-done
}

// shakenHands makes the handshake of a TLS connection.
func shakenHands(client net.Conn) bool {
	secure, ok := client.(*tls.Conn)
	if !ok {
		return true
	}
	_ = secure.SetDeadline(time.Now().Add(handshakeTime))
	err := secure.Handshake()
	_ = secure.SetDeadline(time.Time{})
	return err == nil
}

// turn knows whose turn it is on a connection. While the server works on a request or writes an
// answer nothing ends the connection; a client that has its answer may be silent for so long.
type turn struct {
	*guest
	idle time.Duration

	mutex   sync.Mutex
	writing bool // an answer is on its way
	ended   bool // the server sends no more
}

// wait begins the client's time to ask.
func (t *turn) wait() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.writing = false
	_ = t.client.SetReadDeadline(time.Now().Add(t.idle))
}

// asked says that the client has sent something: the server's turn.
func (t *turn) asked() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if !t.ended {
		_ = t.client.SetReadDeadline(time.Now().Add(requestTime))
	}
}

// write hands on a part of an answer.
func (t *turn) write(data []byte) (int, error) {
	t.stir()
	t.mutex.Lock()
	t.writing = true
	// Before it is written: the client may send its next request as soon as it has this.
	_ = t.client.SetReadDeadline(time.Now().Add(t.idle))
	t.mutex.Unlock()
	count, err := t.client.Write(data)
	t.mutex.Lock()
	t.writing = false
	t.mutex.Unlock()
	return count, err
}

// extended gives a client that is slow to take its answer the whole time again.
func (t *turn) extended() bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.writing && !t.ended {
		_ = t.client.SetReadDeadline(time.Now().Add(t.idle))
		return true
	}
	return false
}

// end leaves the client so much time to end as well.
func (t *turn) end(within time.Duration) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.ended = true
	_ = t.client.SetReadDeadline(time.Now().Add(within))
}

// asking reads what the client sends.
type asking struct{ *turn }

func (a asking) Read(data []byte) (int, error) {
	for {
		count, err := a.client.Read(data)
		if count > 0 {
			a.stir()
			a.asked()
		}
		if count > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !a.extended() {
			return count, err
		}
	}
}

// answering writes what the server sends.
type answering struct{ *turn }

func (a answering) Write(data []byte) (int, error) { return a.write(data) }

// copyBytes is the size of what is copied at once: several records of TLS.
const copyBytes = 64 << 10

func copyAll(to io.Writer, from io.Reader) {
	// Only Reader and Writer, so that the buffer below is used and no smaller one.
	_, _ = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, copyBytes))
}

// innerSocket names the socket between the two: in the pod's network alone, and in no folder.
func innerSocket() string {
	return fmt.Sprintf("@slipway-store-%d", os.Getpid())
}
