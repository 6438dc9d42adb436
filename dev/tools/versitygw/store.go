package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// store is versitygw's posix back end, which refuses what there is no room for, and answers when
// what it took is synced.
type store struct {
	*posix.Posix
	conf     *config
	shares   *shares
	listings *listings
}

// refusedForQuota and refusedForSpace count the uploads that were refused.
var refusedForQuota, refusedForSpace atomic.Int64

func (s *store) PutObject(
	ctx context.Context, input s3response.PutObjectInput,
) (out s3response.PutObjectOutput, err error) {
	size := valueOf(input.ContentLength)
	err = s.taking(valueOf(input.Bucket), valueOf(input.Key), size, input.Body, func() (int64, error) {
		out, err = s.Posix.PutObject(ctx, input)
		return s.kept(valueOf(input.Bucket), valueOf(input.Key), err)
	})
	return out, err
}

func (s *store) CopyObject(
	ctx context.Context, input s3response.CopyObjectInput,
) (out s3response.CopyObjectOutput, err error) {
	size := s.sizeOfSource(valueOf(input.CopySource))
	err = s.taking(valueOf(input.Bucket), valueOf(input.Key), size, nil, func() (int64, error) {
		out, err = s.Posix.CopyObject(ctx, input)
		return s.kept(valueOf(input.Bucket), valueOf(input.Key), err)
	})
	return out, err
}

func (s *store) UploadPart(
	ctx context.Context, input *s3.UploadPartInput,
) (out *s3.UploadPartOutput, err error) {
	size := valueOf(input.ContentLength)
	err = s.taking(valueOf(input.Bucket), valueOf(input.Key), size, input.Body, func() (int64, error) {
		out, err = s.Posix.UploadPart(ctx, input)
		return size, err
	})
	return out, err
}

func (s *store) UploadPartCopy(
	ctx context.Context, input *s3.UploadPartCopyInput,
) (out s3response.CopyPartResult, err error) {
	size := s.sizeOfSource(valueOf(input.CopySource))
	err = s.taking(valueOf(input.Bucket), valueOf(input.Key), size, nil, func() (int64, error) {
		out, err = s.Posix.UploadPartCopy(ctx, input)
		return size, err
	})
	return out, err
}

// CreateMultipartUpload makes a folder, which counts as an object.
func (s *store) CreateMultipartUpload(
	ctx context.Context, input s3response.CreateMultipartUploadInput,
) (out s3response.InitiateMultipartUploadResult, err error) {
	err = s.taking(valueOf(input.Bucket), valueOf(input.Key), 0, nil, func() (int64, error) {
		out, err = s.Posix.CreateMultipartUpload(ctx, input)
		return 0, err
	})
	return out, err
}

// CompleteMultipartUpload makes an object of parts, which are in its namespace's share already.
func (s *store) CompleteMultipartUpload(
	ctx context.Context, input *s3.CompleteMultipartUploadInput,
) (s3response.CompleteMultipartUploadResult, string, error) {
	out, version, err := s.Posix.CompleteMultipartUpload(ctx, input)
	_, err = s.kept(valueOf(input.Bucket), valueOf(input.Key), err)
	return out, version, err
}

// CreateBucket makes a bucket that is there after a crash too.
func (s *store) CreateBucket(ctx context.Context, input *s3.CreateBucketInput, acl []byte) error {
	if err := s.Posix.CreateBucket(ctx, input, acl); err != nil {
		return err
	}
	return syncFolders(filepath.Join(s.conf.buckets(), valueOf(input.Bucket)), s.conf.buckets())
}

// PutObjectTagging keeps an object's tags beside it.
func (s *store) PutObjectTagging(
	ctx context.Context, bucket, key, version string, tags map[string]string,
) error {
	err := s.Posix.PutObjectTagging(ctx, bucket, key, version, tags)
	_, err = s.kept(bucket, key, err)
	return err
}

// taking runs act, which stores size bytes at most and says how many it stored, where the volume and
// the namespace's share have room for them. What a refused request sends is read and thrown away, as
// the back end does, so that its sender reads the answer.
func (s *store) taking(
	bucket, key string, size int64, body io.Reader, act func() (int64, error),
) error {
	if err := s.admit(bucket, key, size); err != nil {
		if body != nil {
			_, _ = io.Copy(io.Discard, body)
		}
		return err
	}
	stored, err := act()
	s.shares.settle(bucket, key, size, stored, err == nil)
	return err
}

// admit sets size bytes aside in the namespace's share.
func (s *store) admit(bucket, key string, size int64) error {
	var volume syscall.Statfs_t
	if err := syscall.Statfs(s.conf.folder, &volume); err != nil {
		return err
	}
	if free := int64(volume.Bavail) * volume.Bsize; free-size < s.conf.reserved {
		refusedForSpace.Add(1)
		return s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice)
	}
	if !s.shares.reserve(bucket, key, size) {
		refusedForQuota.Add(1)
		return s3err.GetAPIError(s3err.ErrQuotaExceeded)
	}
	return nil
}

// kept syncs the names and attributes of an object that was stored without an error, and returns its
// size; its bytes were synced before it had its name.
func (s *store) kept(bucket, key string, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	path := filepath.Join(s.conf.buckets(), bucket, key)
	if err := syncAttributes(s.conf.metadata(), filepath.Join(bucket, key)); err != nil {
		return 0, err
	}
	if err := syncFolders(filepath.Dir(path), s.conf.buckets()); err != nil {
		return 0, err
	}
	return sizeOf(path), nil
}

func (s *store) sizeOfSource(source string) int64 {
	bucket, key, _, err := backend.ParseCopySource(source)
	if err != nil {
		return 0
	}
	return sizeOf(filepath.Join(s.conf.buckets(), bucket, key))
}

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}

func valueOf[T any](pointer *T) (value T) {
	if pointer != nil {
		value = *pointer
	}
	return value
}
