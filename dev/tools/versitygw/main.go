// Slipway-store is the S3 server of a release: versitygw on a folder, which syncs what it is given
// before it says that it has it, holds each namespace to a quota, keeps some of the volume free, and
// tells at /ready and /metrics of a second port how the volume is.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context) error {
	conf, err := settings()
	if err != nil {
		return err
	}
	if err := conf.makeFolders(); err != nil {
		return err
	}
	accounts, err := auth.New(conf.gateway.IamOpts())
	if err != nil {
		return err
	}
	conf.gateway.IAMService = syncedAccounts{accounts, conf.accounts()}
	sidecar, err := meta.NewSideCar(conf.metadata())
	if err != nil {
		return err
	}
	kept := syncedMetadata{sidecar, conf.metadata()}
	options := posix.PosixOpts{
		SideCarDir:          conf.metadata(),
		Concurrency:         maxFileActions,
		CopyObjectThreshold: maxCopiedBytes,
	}
	files, err := posix.New(conf.buckets(), kept, options)
	if err != nil {
		return err
	}
	shares := newShares(conf.buckets(), conf.bucket, conf.quota, conf.objects)
	go shares.countAgainAndAgain(ctx)
	status := &status{conf: conf, shares: shares}
	go status.serve()
	keeping := &store{files, conf, shares, newListings(conf.bucket)}
	conf.gateway.S3Options = []s3api.Option{s3api.WithMiddleware("/", newBodies().bound)}
	go conf.open()
	return embedgw.RunVersityGW(ctx, keeping, &conf.gateway)
}

// The limits that versitygw's own command has by default.
const (
	maxConnections     = 250_000
	maxRequests        = 100_000
	maxParts           = 10_000
	maxFileActions     = 5000
	maxCopiedBytes     = 5 << 30
	accountsTTLSeconds = 120
	pruneSeconds       = 3600
)

// config is what the environment says.
type config struct {
	gateway     embedgw.Config
	folder      string        // the volume
	bucket      string        // the bucket that is there from the start
	plainPort   string        // where plain HTTP is taken, as ":7480"; empty: nowhere
	statusPort  string        // where /ready and /metrics are, as ":7481"
	certificate string        // folder with tls.crt and tls.key; empty: no TLS
	securePort  string        // where TLS is taken, as ":7443"
	connections int           // how many are open at a time
	idle        time.Duration // how long a client may keep a connection that it does not use
	quota       int64         // bytes that a namespace may store; 0: all
	objects     int64         // objects that a namespace may store; 0: all
	reserved    int64         // bytes of the volume that uploads leave free
}

func (c *config) buckets() string  { return filepath.Join(c.folder, "buckets") }
func (c *config) metadata() string { return filepath.Join(c.folder, "metadata") }
func (c *config) accounts() string { return filepath.Join(c.folder, "iam") }

// makeFolders makes what a new volume lacks.
func (c *config) makeFolders() error {
	for _, folder := range []string{filepath.Join(c.buckets(), c.bucket), c.metadata()} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	return os.MkdirAll(c.accounts(), 0o700)
}

// open has the store's ports answered, once the S3 server behind them is ready.
func (c *config) open() {
	taken := &doors{
		socket: innerSocket(),
		crowd:  newCrowd(c.connections),
		idle:   c.idle,
	}
	err := ready(taken.socket)
	if err == nil && c.plainPort != "" {
		err = taken.serve(c.plainPort, nil)
	}
	if err == nil && c.certificate != "" {
		err = taken.serve(c.securePort, &certificate{folder: c.certificate})
	}
	if err != nil {
		log.Fatal(err)
	}
}

// settings reads the environment; see images/README.md.
func settings() (*config, error) {
	quota, err := wholeIn("SLIPWAY_STORE_QUOTA_BYTES", 0)
	if err != nil {
		return nil, err
	}
	objects, err := wholeIn("SLIPWAY_STORE_QUOTA_OBJECTS", 500_000)
	if err != nil {
		return nil, err
	}
	reserved, err := wholeIn("SLIPWAY_STORE_RESERVED_BYTES", 64<<20)
	if err != nil {
		return nil, err
	}
	idle, err := wholeIn("SLIPWAY_STORE_IDLE_SECONDS", 75)
	if err != nil {
		return nil, err
	}
	connections, err := wholeIn("SLIPWAY_STORE_CONNECTIONS", 2048)
	if err != nil {
		return nil, err
	}
	conf := &config{
		connections: int(connections),
		idle:        time.Duration(idle) * time.Second,
		folder:      textIn("SLIPWAY_STORE_FOLDER", "/data"),
		bucket:      textIn("SLIPWAY_BUCKET", "slipway"),
		plainPort:   textIn("VGW_PORT", ":7480"),
		statusPort:  textIn("SLIPWAY_STORE_STATUS_PORT", ":7481"),
		certificate: os.Getenv("SLIPWAY_STORE_TLS_FOLDER"),
		securePort:  textIn("SLIPWAY_STORE_TLS_PORT", ":7443"),
		quota:       quota,
		objects:     objects,
		reserved:    reserved,
	}
	conf.gateway = embedgw.Config{
		RootUserAccess:    os.Getenv("ROOT_ACCESS_KEY_ID"),
		RootUserSecret:    os.Getenv("ROOT_SECRET_ACCESS_KEY"),
		Region:            textIn("VGW_REGION", "us-east-1"),
		Ports:             []string{innerSocket()},
		KeepAlive:         true,
		HealthPath:        textIn("VGW_HEALTH", "/health"),
		IAMDir:            conf.accounts(),
		IAMCacheTTL:       accountsTTLSeconds,
		IAMCachePrune:     pruneSeconds,
		MaxConnections:    maxConnections,
		MaxRequests:       maxRequests,
		MultipartMaxParts: maxParts,
		Quiet:             true,
	}
	if os.Getenv("SLIPWAY_STORE_PLAIN_PORT") == "closed" {
		conf.plainPort = ""
	}
	if conf.plainPort == "" && conf.certificate == "" {
		return nil, fmt.Errorf("set SLIPWAY_STORE_TLS_FOLDER, or leave the plain port open")
	}
	if conf.gateway.RootUserAccess == "" || conf.gateway.RootUserSecret == "" {
		return nil, fmt.Errorf("set ROOT_ACCESS_KEY_ID and ROOT_SECRET_ACCESS_KEY to the credentials")
	}
	return conf, nil
}

func textIn(name, otherwise string) string {
	if text := os.Getenv(name); text != "" {
		return text
	}
	return otherwise
}

func wholeIn(name string, otherwise int64) (int64, error) {
	text := os.Getenv(name)
	if text == "" {
		return otherwise, nil
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < 0 {
		return 0, fmt.Errorf("%s is %q: set it to a whole number", name, text)
	}
	return value, nil
}
