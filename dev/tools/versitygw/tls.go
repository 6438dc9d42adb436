package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// handshakeTime is how long a client has for the handshake, before it costs the S3 server anything.
	handshakeTime = 10 * time.Second
	// lookEvery is how long a certificate is used before its files are looked at again.
	lookEvery = 10 * time.Second
)

// certificate is what lies in a folder as tls.crt and tls.key, as the kubelet makes it of a Secret
// and renews it: new connections get the new one.
type certificate struct {
	folder string

	mutex    sync.Mutex
	pair     *tls.Certificate
	changed  time.Time // when tls.crt was written that pair is of
	lookedAt time.Time
}

// current returns the certificate; one that cannot be read leaves the one before in use.
func (c *certificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.pair != nil && time.Since(c.lookedAt) < lookEvery {
		return c.pair, nil
	}
	c.lookedAt = time.Now()
	err := c.read()
	if c.pair == nil {
		return nil, err
	}
	if err != nil {
		log.Printf("The certificate stays as it is: %v", err)
	}
	return c.pair, nil
}

func (c *certificate) read() error {
	path := filepath.Join(c.folder, "tls.crt")
	info, err := os.Stat(path)
	if err != nil || info.ModTime().Equal(c.changed) {
		return err
	}
	pair, err := tls.LoadX509KeyPair(path, filepath.Join(c.folder, "tls.key"))
	if err != nil {
		return err
	}
	c.pair, c.changed = &pair, info.ModTime()
	return nil
}

// secure takes TLS connections and hands what they carry on to the S3 server's socket. The server
// itself knows either TLS or none on all its ports, and pods of release 0.2.0 know none.
type secure struct {
	socket string
	slots  chan struct{} // one for each connection at a time
}

// serve answers on a port until the process ends.
func (s *secure) serve(port string, held *certificate) error {
	listener, err := net.Listen("tcp", port)
	if err != nil {
		return err
	}
	conf := &tls.Config{
		GetCertificate: held.current,
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
	}
	go func() {
		for {
			s.slots <- struct{}{}
			connection, err := listener.Accept()
			if err != nil {
				log.Fatal(err)
			}
			go func() {
				defer func() { <-s.slots }()
				s.carry(tls.Server(connection, conf))
			}()
		}
	}()
	return nil
}

// carry hands on both directions of a connection until both have ended.
func (s *secure) carry(client *tls.Conn) {
	defer client.Close()
	_ = client.SetDeadline(time.Now().Add(handshakeTime))
	if client.Handshake() != nil {
		return
	}
	_ = client.SetDeadline(time.Time{})
	opened, err := net.Dial("unix", s.socket)
	if err != nil {
		log.Print(err)
		return
	}
	server := opened.(*net.UnixConn)
	defer server.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		copyAll(server, client)
		_ = server.CloseWrite()
	}()
	copyAll(client, server)
	_ = client.CloseWrite()
	// A client that leaves its connection open does not hold what the server has ended.
	_ = client.SetReadDeadline(time.Now().Add(handshakeTime))
	<-done
}

// copyBytes is the size of what is copied at once: several records of TLS.
const copyBytes = 128 << 10

func copyAll(to io.Writer, from io.Reader) {
	// Only Reader and Writer, so that the buffer below is used and no smaller one.
	_, _ = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, copyBytes))
}

// innerSocket names the socket between the two: in the pod's network alone, and in no folder.
func innerSocket() string {
	return fmt.Sprintf("@slipway-store-%d", os.Getpid())
}
