package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// objectCost is what an object counts beside its size: its file and its attributes are at least
	// four blocks of the volume, so that a quota bounds their number too.
	objectCost = 16 << 10
	// countEvery is how long the count of a share is taken for what is on the volume; until then
	// what is stored is added to it, and what is deleted is not taken off.
	countEvery = 10 * time.Minute
	// countAgainAfter is how long a share that is full is not counted anew.
	countAgainAfter = 5 * time.Second
)

// namespaceFolders hold a folder for each namespace in the bucket that all of release 0.2.0 share.
var namespaceFolders = []string{"outputs", "checkpoints", "models"}

// shares knows what each namespace stores: in a bucket of its own, whose name begins with "ns-", or
// in its folders of the common bucket. What administrators put elsewhere belongs to nobody.
type shares struct {
	buckets string
	common  string
	limit   int64 // bytes of one namespace; 0: no limit
	most    int64 // objects and folders of one namespace; 0: no limit

	mutex sync.Mutex
	known map[string]*share
}

// share is what one namespace stores, in bytes: what is on the volume, and what is being sent.
type share struct {
	name string

	mutex     sync.Mutex
	stored    atomic.Int64
	pending   int64
	objects   int64 // with folders, and with what is being sent
	countedAt time.Time
}

func newShares(buckets, common string, limit, most int64) *shares {
	return &shares{
		buckets: buckets, common: common, limit: limit, most: most, known: map[string]*share{},
	}
}

// of returns the share that an object is in, or nil.
func (s *shares) of(bucket, key string) *share {
	parts := strings.Split(filepath.Join(bucket, key), "/")
	name := parts[0]
	switch {
	case strings.HasPrefix(name, "ns-"):
	case name == s.common && len(parts) > 3 && slices.Contains(namespaceFolders, parts[1]):
		name += "/" + parts[2]
	default:
		return nil
	}
	return s.named(name)
}

func (s *shares) named(name string) *share {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.known[name] == nil {
		s.known[name] = &share{name: name}
	}
	return s.known[name]
}

// reserve sets bytes for one object aside; it says false where the share has no room for them.
func (s *shares) reserve(bucket, key string, size int64) bool {
	share := s.of(bucket, key)
	if share == nil {
		return true
	}
	share.mutex.Lock()
	defer share.mutex.Unlock()
	need := size + objectCost
	full := func() bool {
		many := s.most > 0 && share.objects >= s.most
		return many || (s.limit > 0 && share.stored.Load()+share.pending+need > s.limit)
	}
	age := time.Since(share.countedAt)
	if (s.limit > 0 || s.most > 0) && (age > countEvery || (full() && age > countAgainAfter)) {
		s.count(share)
	}
	if full() {
		return false
	}
	share.pending += need
	share.objects++
	return true
}

// settle ends what reserve began: with the bytes that were stored, or with none.
func (s *shares) settle(bucket, key string, reserved, stored int64, ok bool) {
	share := s.of(bucket, key)
	if share == nil {
		return
	}
	share.mutex.Lock()
	defer share.mutex.Unlock()
	share.pending -= reserved + objectCost
	if ok {
		share.stored.Add(stored + objectCost)
	} else {
		share.objects--
	}
}

// count reads from the volume what a share stores; parts of unfinished uploads are in it.
func (s *shares) count(share *share) {
	total, objects := int64(0), int64(0)
	for _, folder := range s.folders(share.name) {
		_ = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if objects++; !entry.Type().IsRegular() {
				return nil
			}
			if info, err := entry.Info(); err == nil {
				total += info.Size() + objectCost
			}
			return nil
		})
	}
	share.stored.Store(total)
	share.objects = objects
	share.countedAt = time.Now()
}

func (s *shares) folders(name string) []string {
	bucket, namespace, isFolder := strings.Cut(name, "/")
	if !isFolder {
		return []string{filepath.Join(s.buckets, bucket)}
	}
	folders := make([]string, 0, len(namespaceFolders))
	for _, kind := range namespaceFolders {
		folders = append(folders, filepath.Join(s.buckets, bucket, kind, namespace))
	}
	return folders
}

// countAgainAndAgain keeps the counts near the truth, also of what nobody writes to.
func (s *shares) countAgainAndAgain(ctx context.Context) {
	ticker := time.NewTicker(countEvery)
	defer ticker.Stop()
	for {
		s.discover()
		for _, share := range s.all() {
			share.mutex.Lock()
			s.count(share)
			share.mutex.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// discover finds the shares that are on the volume.
func (s *shares) discover() {
	for _, name := range namesIn(s.buckets) {
		if strings.HasPrefix(name, "ns-") {
			s.named(name)
		}
	}
	for _, kind := range namespaceFolders {
		for _, namespace := range namesIn(filepath.Join(s.buckets, s.common, kind)) {
			s.named(s.common + "/" + namespace)
		}
	}
}

func namesIn(folder string) []string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}

// all returns the shares that are known, by name.
func (s *shares) all() []*share {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found := make([]*share, 0, len(s.known))
	for _, share := range s.known {
		found = append(found, share)
	}
	slices.SortFunc(found, func(a, b *share) int { return strings.Compare(a.name, b.name) })
	return found
}
