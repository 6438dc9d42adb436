package main

import (
	"context"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/s3response"
	"golang.org/x/sync/semaphore"
)

// maxListings is how many listings are made at a time, in all; of one namespace it is one. versitygw
// reads the names of a whole folder for each, some 200 bytes a name.
const maxListings = 3

// listings gives turns to those who list, so that one namespace with many objects neither fills the
// memory nor takes all turns.
type listings struct {
	common string
	all    *semaphore.Weighted

	mutex sync.Mutex
	lanes map[string]*lane
}

// lane has the turn of one namespace; it is forgotten when nobody waits for it.
type lane struct {
	turn  sync.Mutex
	users int
}

func newListings(common string) *listings {
	return &listings{
		common: common,
		all:    semaphore.NewWeighted(maxListings),
		lanes:  map[string]*lane{},
	}
}

// wait waits for the turn to list what lies under a prefix, and returns what ends it.
func (l *listings) wait(ctx context.Context, bucket, prefix string) (func(), error) {
	name := l.laneOf(bucket, prefix)
	own := l.enter(name)
	own.turn.Lock()
	leave := func() {
		own.turn.Unlock()
		l.leave(name, own)
	}
	if err := l.all.Acquire(ctx, 1); err != nil {
		leave()
		return nil, err
	}
	return func() {
		l.all.Release(1)
		leave()
	}, nil
}

func (l *listings) enter(name string) *lane {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.lanes[name] == nil {
		l.lanes[name] = &lane{}
	}
	l.lanes[name].users++
	return l.lanes[name]
}

func (l *listings) leave(name string, own *lane) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if own.users--; own.users == 0 {
		delete(l.lanes, name)
	}
}

// laneOf returns the bucket, and in the common one the namespace whose folder is listed.
func (l *listings) laneOf(bucket, prefix string) string {
	parts := strings.SplitN(prefix, "/", 3)
	if bucket != l.common || len(parts) < 3 {
		return bucket
	}
	return bucket + "/" + parts[1]
}

func listed[T any](
	ctx context.Context, s *store, bucket, prefix *string, list func() (T, error),
) (found T, err error) {
	leave, err := s.listings.wait(ctx, valueOf(bucket), valueOf(prefix))
	if err != nil {
		return found, err
	}
	defer leave()
	return list()
}

func (s *store) ListObjects(
	ctx context.Context, input *s3.ListObjectsInput,
) (s3response.ListObjectsResult, error) {
	return listed(ctx, s, input.Bucket, input.Prefix, func() (s3response.ListObjectsResult, error) {
		return s.Posix.ListObjects(ctx, input)
	})
}

func (s *store) ListObjectsV2(
	ctx context.Context, input *s3.ListObjectsV2Input,
) (s3response.ListObjectsV2Result, error) {
	return listed(ctx, s, input.Bucket, input.Prefix, func() (s3response.ListObjectsV2Result, error) {
		return s.Posix.ListObjectsV2(ctx, input)
	})
}

func (s *store) ListObjectVersions(
	ctx context.Context, input *s3.ListObjectVersionsInput,
) (s3response.ListVersionsResult, error) {
	return listed(ctx, s, input.Bucket, input.Prefix, func() (s3response.ListVersionsResult, error) {
		return s.Posix.ListObjectVersions(ctx, input)
	})
}

func (s *store) ListMultipartUploads(
	ctx context.Context, input *s3.ListMultipartUploadsInput,
) (s3response.ListMultipartUploadsResult, error) {
	return listed(ctx, s, input.Bucket, input.Prefix,
		func() (s3response.ListMultipartUploadsResult, error) {
			return s.Posix.ListMultipartUploads(ctx, input)
		})
}
