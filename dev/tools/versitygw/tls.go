package main

import (
	"crypto/tls"
	"log"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// lookEvery is how long a certificate is used before its files are looked at again.
const lookEvery = 10 * time.Second

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
