package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// status tells at /ready whether objects can be stored now, and at /metrics how full the volume is.
type status struct {
	conf   *config
	shares *shares

	mutex   sync.Mutex
	running chan struct{} // closed when the check that goes on is over
	found   error         // of the last check
	last    time.Time     // when that was over
}

const (
	// checkedFor is how long a check's outcome is told again: whoever asks often costs no more.
	checkedFor = time.Second
	// checkTime is how long anybody waits for a check.
	checkTime = 8 * time.Second
)

// serve answers until the process ends.
func (s *status) serve() {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /ready", s.ready)
	routes.HandleFunc("GET /health", s.health)
	routes.HandleFunc("GET /metrics", s.metrics)
	server := http.Server{
		Addr: s.conf.statusPort, Handler: routes,
		ReadTimeout: 5 * time.Second, WriteTimeout: 20 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}

func (s *status) ready(answer http.ResponseWriter, _ *http.Request) {
	if err := s.check(); err != nil {
		http.Error(answer, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(answer, "ready")
}

// health tells whether the S3 server takes connections.
func (s *status) health(answer http.ResponseWriter, _ *http.Request) {
	if err := s.connect(); err != nil {
		http.Error(answer, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(answer, "serving")
}

// check returns the outcome of a check, which all who ask meanwhile share. A volume that hangs holds
// one check, and fails all who wait for it.
func (s *status) check() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.running == nil && time.Since(s.last) < checkedFor {
		return s.found
	}
	if s.running == nil {
		s.running = make(chan struct{})
		go s.checkNow(s.running)
	}
	running := s.running
	s.mutex.Unlock()
	select {
	case <-running:
		s.mutex.Lock()
		return s.found
	case <-time.After(checkTime):
		s.mutex.Lock()
		return fmt.Errorf("the volume has not answered the check yet")
	}
}

func (s *status) checkNow(over chan struct{}) {
	found := s.tryAll()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.found, s.last, s.running = found, time.Now(), nil
	close(over)
}

// tryAll writes a file to the volume, syncs and removes it, and connects to the S3 server.
func (s *status) tryAll() error {
	if err := s.write(filepath.Join(s.conf.folder, ".ready")); err != nil {
		return fmt.Errorf("the volume cannot be written: %w", err)
	}
	return s.connect()
}

// connect connects to the S3 server, and to the ports that take connections for it.
func (s *status) connect() error {
	ports := []string{innerSocket()}
	if s.conf.certificate != "" {
		ports = append(ports, s.conf.securePort)
	}
	if s.conf.plainPort != "" {
		ports = append(ports, s.conf.plainPort)
	}
	for _, port := range ports {
		if err := dial(port); err != nil {
			return err
		}
	}
	return nil
}

func dial(port string) error {
	network := "tcp"
	if strings.HasPrefix(port, "@") {
		network = "unix"
	}
	if strings.HasPrefix(port, ":") {
		port = "127.0.0.1" + port
	}
	connection, err := net.DialTimeout(network, port, time.Second)
	if err != nil {
		return err
	}
	return connection.Close()
}

func (s *status) write(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteString("This file shows that the volume can be written.\n"); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return os.Remove(path)
}

// metrics answers in Prometheus' text format.
// Source: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
func (s *status) metrics(answer http.ResponseWriter, _ *http.Request) {
	var volume syscall.Statfs_t
	if err := syscall.Statfs(s.conf.folder, &volume); err != nil {
		http.Error(answer, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer.Header().Set("Content-Type", "text/plain; version=0.0.4")
	tell := func(name, kind, help, labels string, value int64) {
		if help != "" {
			fmt.Fprintf(answer, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
		}
		fmt.Fprintf(answer, "%s%s %d\n", name, labels, value)
	}
	tell("slipway_store_volume_bytes", "gauge", "Size of the volume.", "",
		int64(volume.Blocks)*volume.Bsize)
	tell("slipway_store_volume_free_bytes", "gauge", "What is free of the volume.", "",
		int64(volume.Bavail)*volume.Bsize)
	tell("slipway_store_quota_bytes", "gauge", "What a namespace may store; 0: no limit.", "",
		s.conf.quota)
	tell("slipway_store_refused_total", "counter", "Uploads that there was no room for.",
		`{reason="QuotaExceeded"}`, refusedForQuota.Load())
	tell("slipway_store_refused_total", "counter", "", `{reason="VolumeFull"}`, refusedForSpace.Load())
	help := "What a namespace stores: its bucket, or its folders in the common one."
	for _, share := range s.shares.all() {
		labels := fmt.Sprintf("{share=%q}", share.name)
		tell("slipway_store_share_bytes", "gauge", help, labels, share.stored.Load())
		help = ""
	}
}
