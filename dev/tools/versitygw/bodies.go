package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
)

const (
	// maxBody is the longest body of a request that is no upload: 10,000 parts of an upload, each with a
	// checksum of SHA-256, are 2 MiB, and 1000 keys to delete as much.
	maxBody = 3 << 20
	// bodiesOfOne and bodiesOfAll are what such bodies of one account, and of all, may have together.
	bodiesOfOne = 4 << 20
	bodiesOfAll = 16 << 20
	// bodyTime is how long one may take to come.
	bodyTime = 30 * time.Second
)

// bodies bounds what versitygw reads as a whole before it does anything with it, at three times its
// size: every body but the bytes of an upload. It would read without end.
type bodies struct {
	once sync.Once

	mutex sync.Mutex
	all   int64
	by    map[string]int64 // by the account that a request names, which is verified before it is read
}

func newBodies() *bodies {
	return &bodies{by: map[string]int64{}}
}

// bound is a middleware in front of everything.
func (b *bodies) bound(ctx fiber.Ctx) error {
	b.once.Do(func() {
		// Forms would be read as a whole before anybody is asked who sent them. versitygw does not hand its
		// server out sooner, and `ready` makes sure that this is the first request.
		ctx.App().Server().DisablePreParseMultipartForm = true
	})
	size := int64(ctx.Request().Header.ContentLength())
	if isUpload(ctx) || size == 0 || size == -2 {
		return ctx.Next()
	}
	if size < 0 {
		return refuse(ctx, s3err.GetAPIError(s3err.ErrMissingContentLength))
	}
	if size > maxBody {
		return refuse(ctx, s3err.GetEntityTooLargeErr(size, maxBody).APIError)
	}
	account := accountOf(ctx)
	if !b.take(account, size) {
		return refuse(ctx, s3err.GetAPIError(s3err.ErrSlowDown))
	}
	defer b.giveBack(account, size)
	connection := ctx.RequestCtx().Conn()
	_ = connection.SetReadDeadline(time.Now().Add(bodyTime))
	defer func() { _ = connection.SetReadDeadline(time.Time{}) }()
	return ctx.Next()
}

func (b *bodies) take(account string, size int64) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.all+size > bodiesOfAll || b.by[account]+size > bodiesOfOne {
		return false
	}
	b.all += size
	b.by[account] += size
	return true
}

func (b *bodies) giveBack(account string, size int64) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.all -= size
	if b.by[account] -= size; b.by[account] == 0 {
		delete(b.by, account)
	}
}

// isUpload tells whether versitygw writes a request's body to the volume as it comes: that of a
// PutObject or an UploadPart. Everything else that is put has a word in its query, or copies.
func isUpload(ctx fiber.Ctx) bool {
	_, key, _ := strings.Cut(strings.TrimLeft(ctx.Path(), "/"), "/")
	if ctx.Method() != fiber.MethodPut || strings.Trim(key, "/") == "" {
		return false
	}
	if ctx.Get("X-Amz-Copy-Source") != "" {
		return false
	}
	for name := range ctx.Queries() {
		known := name == "uploadId" || name == "partNumber" || name == "x-id"
		if !known && !strings.HasPrefix(strings.ToLower(name), "x-amz-") {
			return false
		}
	}
	return true
}

// accountOf returns the access key that a request names; empty for none.
func accountOf(ctx fiber.Ctx) string {
	named := ctx.Query("X-Amz-Credential")
	if _, rest, ok := strings.Cut(ctx.Get("Authorization"), "Credential="); ok {
		named = rest
	}
	account, _, _ := strings.Cut(named, "/")
	return strings.Clone(account)
}

func refuse(ctx fiber.Ctx, err s3err.APIError) error {
	request, host := utils.EnsureRequestIDs(ctx)
	ctx.Set(fiber.HeaderContentType, fiber.MIMEApplicationXML)
	return ctx.Status(err.HTTPStatusCode).Send(err.XMLBody(request, host))
}

// ready waits until the S3 server answers at its socket, which is what its first request is for.
func ready(socket string) error {
	client := http.Client{
		Timeout: handshakeTime,
		Transport: &http.Transport{
			Dial: func(string, string) (net.Conn, error) { return net.Dial("unix", socket) },
		},
	}
	var err error
	for begun := time.Now(); time.Since(begun) < handshakeTime; time.Sleep(retryTime / 10) {
		var answer *http.Response
		if answer, err = client.Get("http://store/"); err == nil {
			client.CloseIdleConnections()
			return answer.Body.Close()
		}
	}
	return fmt.Errorf("the S3 server does not answer: %w", err)
}
