// SPDX-License-Identifier: Apache-2.0

// sumdb checks a served log with Go's own code for the checksum database, which knows nothing of Tillit: the checkpoint's note,
// every record's inclusion through hash tiles, tree proofs, and the root over all entries.
// golang.org/x/mod speaks of tile/8/<level>; C2SP tlog-tiles leaves the height out, which is all that is rewritten here.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const proofsMax = 2000 // a larger log: first, last and so many others

type server struct{ base string }

func (s server) get(path string) ([]byte, error) {
	r, err := http.Get(strings.TrimRight(s.base, "/") + "/" + path)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, 32<<20))
	if err == nil && r.StatusCode != 200 {
		err = fmt.Errorf("%s: HTTP %d", path, r.StatusCode)
	}
	return body, err
}

func rewritten(t tlog.Tile) string {
	p := t.Path()
	p = strings.Replace(p, "tile/8/data/", "tile/entries/", 1)
	return strings.Replace(p, "tile/8/", "tile/", 1)
}

func (s server) Height() int { return 8 }
func (s server) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		data, err := s.get(rewritten(t))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}
func (s server) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

// checkpoint opens the signed note and reads origin, size and root.
func checkpoint(s server, vkey string) (tlog.Tree, error) {
	var tree tlog.Tree
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, err
	}
	text, err := s.get("checkpoint")
	if err != nil {
		return tree, err
	}
	n, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tree, fmt.Errorf("not this log's checkpoint: %q", n.Text)
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tree, fmt.Errorf("root %q", lines[2])
	}
	copy(tree.Hash[:], root)
	return tree, nil
}

func entries(s server, n int64) ([][]byte, error) {
	var all [][]byte
	for from := int64(0); from < n; from += 256 {
		width := n - from
		if width > 256 {
			width = 256
		}
		bundle, err := s.get(rewritten(tlog.Tile{H: 8, L: -1, N: from / 256, W: int(width)}))
		if err != nil {
			return nil, err
		}
		for i := int64(0); i < width; i++ {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return nil, fmt.Errorf("entry %d: bundle ends early", from+i)
			}
			size := int(binary.BigEndian.Uint16(bundle))
			all = append(all, bundle[2:2+size])
			bundle = bundle[2+size:]
		}
		if len(bundle) != 0 {
			return nil, fmt.Errorf("bundle %d goes on after its entries", from/256)
		}
	}
	return all, nil
}

// rootOf recomputes the root from the entries alone.
func rootOf(all [][]byte) (tlog.Hash, error) {
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			if i >= int64(len(stored)) {
				return nil, fmt.Errorf("no stored hash %d", i)
			}
			out = append(out, stored[i])
		}
		return out, nil
	})
	for i, e := range all {
		hashes, err := tlog.StoredHashes(int64(i), e, read)
		if err != nil {
			return tlog.Hash{}, err
		}
		stored = append(stored, hashes...)
	}
	return tlog.TreeHash(int64(len(all)), read)
}

func verify(base, vkey string) error {
	s := server{base}
	tree, err := checkpoint(s, vkey)
	if err != nil {
		return err
	}
	all, err := entries(s, tree.N)
	if err != nil {
		return err
	}
	root, err := rootOf(all)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return fmt.Errorf("the %d entries give root %v, signed is %v", tree.N, root, tree.Hash)
	}
	reader := tlog.TileHashReader(tree, s)
	proofs := 0
	for i := int64(0); i < tree.N; i++ {
		if tree.N > proofsMax && i > 0 && i < tree.N-1 && rand.Int63n(tree.N) >= proofsMax {
			continue
		}
		p, err := tlog.ProveRecord(tree.N, i, reader)
		if err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
		if err := tlog.CheckRecord(p, tree.N, tree.Hash, i, tlog.RecordHash(all[i])); err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
		proofs++
	}
	for old := tree.N; old > 0; old /= 2 {
		hash, err := rootOf(all[:old])
		if err != nil {
			return err
		}
		p, err := tlog.ProveTree(tree.N, old, reader)
		if err != nil {
			return fmt.Errorf("tree %d: %w", old, err)
		}
		if err := tlog.CheckTree(p, tree.N, tree.Hash, old, hash); err != nil {
			return fmt.Errorf("tree %d: %w", old, err)
		}
	}
	for i, e := range all {
		if !bytes.HasPrefix(e, []byte("{\"")) || !bytes.HasSuffix(e, []byte("}")) {
			return fmt.Errorf("entry %d is no leaf", i)
		}
	}
	fmt.Printf("ok %d records, %d inclusion proofs, root %v\n", tree.N, proofs, tree.Hash)
	return nil
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sumdb URL VKEY")
		os.Exit(2)
	}
	if err := verify(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "sumdb:", err)
		os.Exit(1)
	}
}
