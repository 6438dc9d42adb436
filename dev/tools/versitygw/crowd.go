package main

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// crowd knows the connections that are open. Where there are as many as may be, the next one takes
// the place of another: of the client with most of them, the one that has been silent for longest.
// So who opens more and more ends their own alone.
type crowd struct {
	most int

	mutex  sync.Mutex
	count  int
	guests map[string]map[*guest]struct{} // by the client's address
}

// guest is one open connection.
type guest struct {
	client net.Conn
	host   string
	heard  atomic.Int64 // when something came or went last, in nanoseconds
}

func newCrowd(most int) *crowd {
	return &crowd{most: most, guests: map[string]map[*guest]struct{}{}}
}

// enter takes a connection in.
func (c *crowd) enter(client net.Conn) *guest {
	host, _, _ := net.SplitHostPort(client.RemoteAddr().String())
	entered := &guest{client: client, host: host}
	entered.stir()
	c.mutex.Lock()
	leaving := c.inTheWay()
	if c.guests[host] == nil {
		c.guests[host] = map[*guest]struct{}{}
	}
	c.guests[host][entered] = struct{}{}
	c.count++
	c.mutex.Unlock()
	if leaving != nil {
		// Not by the connection's own Close, which in TLS waits for whoever writes.
		_ = leaving.client.SetDeadline(time.Unix(0, 1))
		_ = bare(leaving.client).Close()
	}
	return entered
}

// leave forgets a connection.
func (c *crowd) leave(gone *guest) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.forget(gone)
}

// inTheWay forgets and returns the connection that makes room, if there is none left.
func (c *crowd) inTheWay() *guest {
	if c.count < c.most {
		return nil
	}
	var many map[*guest]struct{}
	for _, guests := range c.guests {
		if len(guests) > len(many) {
			many = guests
		}
	}
	var silent *guest
	for each := range many {
		if silent == nil || each.heard.Load() < silent.heard.Load() {
			silent = each
		}
	}
	c.forget(silent)
	return silent
}

func (c *crowd) forget(gone *guest) {
	if _, known := c.guests[gone.host][gone]; !known {
		return
	}
	delete(c.guests[gone.host], gone)
	if len(c.guests[gone.host]) == 0 {
		delete(c.guests, gone.host)
	}
	c.count--
}

// stir notes that something came or went.
func (g *guest) stir() { g.heard.Store(time.Now().UnixNano()) }

// bare returns the connection beneath TLS.
func bare(client net.Conn) net.Conn {
	if secure, ok := client.(interface{ NetConn() net.Conn }); ok {
		return secure.NetConn()
	}
	return client
}
