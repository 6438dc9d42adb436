package main

import (
	"os"
	"path/filepath"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"golang.org/x/sync/errgroup"
)

// dataComplete is the attribute that the posix back end stores when all bytes of an object or a part
// are in its file, and the file does not have its name yet.
const dataComplete = "etag"

// syncedMetadata syncs an object's file before it gets its name, so that a name never leads to less
// than was written, also where it replaces another file; and what it keeps of a bucket itself.
type syncedMetadata struct {
	meta.SideCar
	folder string
}

// StoreAttribute keeps an attribute; an object's own files are synced by whoever writes the object.
func (s syncedMetadata) StoreAttribute(
	file *os.File, bucket, object, attribute string, value []byte,
) error {
	if file != nil && attribute == dataComplete {
		if err := file.Sync(); err != nil {
			return err
		}
	}
	if err := s.SideCar.StoreAttribute(file, bucket, object, attribute, value); err != nil {
		return err
	}
	if object != "" {
		return nil
	}
	return syncAttributes(s.folder, bucket)
}

// syncAttributes syncs all that is kept beside an object or a bucket.
func syncAttributes(folder, name string) error {
	attributes := filepath.Join(folder, name, "meta")
	entries, err := os.ReadDir(attributes)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var files errgroup.Group
	for _, entry := range entries {
		files.Go(func() error { return syncPath(filepath.Join(attributes, entry.Name())) })
	}
	if err := files.Wait(); err != nil {
		return err
	}
	return syncFolders(attributes, folder)
}

// syncFolders syncs a folder and those above it, up to top, so that the names in them last.
func syncFolders(folder, top string) error {
	var folders errgroup.Group
	for at := folder; ; at = filepath.Dir(at) {
		folders.Go(func() error { return syncPath(at) })
		if at == top || len(at) <= len(top) {
			return folders.Wait()
		}
	}
}

// syncPath syncs a file or a folder; one that somebody removed in the meantime needs none.
func syncPath(path string) error {
	file, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}

// syncedAccounts syncs the list of accounts whenever it changed.
type syncedAccounts struct {
	auth.IAMService
	folder string
}

func (a syncedAccounts) CreateAccount(account auth.Account) error {
	return a.synced(a.IAMService.CreateAccount(account))
}

func (a syncedAccounts) UpdateUserAccount(access string, props auth.MutableProps) error {
	return a.synced(a.IAMService.UpdateUserAccount(access, props))
}

func (a syncedAccounts) DeleteUserAccount(access string) error {
	return a.synced(a.IAMService.DeleteUserAccount(access))
}

func (a syncedAccounts) synced(err error) error {
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(a.folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := syncPath(filepath.Join(a.folder, entry.Name())); err != nil {
			return err
		}
	}
	return syncPath(a.folder)
}
