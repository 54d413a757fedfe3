package authmin

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// maxAuthoritiesBytes bounds a file of certificates; a company's bundle has less.
const maxAuthoritiesBytes = 1 << 20

// ErrAuthorities is wrapped by every error of reading a file of authorities.
var ErrAuthorities = errors.New("reading authorities")

// AuthoritiesFromFile reads the certificates of private authorities from a PEM file. A
// connection that is given them trusts them alone, in place of the system's.
//
// The rules are those of [SecretFromFile]: an absolute path of a regular file that
// other users cannot write, and nothing hangs on a FIFO or a device. Each block must be
// the certificate of an authority. A file with a private key is refused: a service that
// connects has no use for one, and the holder of an authority's key can be any server.
func AuthoritiesFromFile(path string) (*x509.CertPool, error) {
	content, err := AuthoritiesFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(content)
	return pool, nil
}

// AuthoritiesFile is [AuthoritiesFromFile] for a program that copies the file.
func AuthoritiesFile(path string) ([]byte, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("%w: %q is not an absolute path", ErrAuthorities, path)
	}
	content, err := readBounded(path, maxAuthoritiesBytes, secretForbidden)
	if err == nil {
		err = checkAuthorities(content)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAuthorities, named(err, path))
	}
	return content, nil
}

// checkAuthorities refuses a file that is anything but certificates of authorities.
func checkAuthorities(content []byte) error {
	rest := bytes.TrimSpace(content)
	if len(rest) == 0 {
		return errors.New("the file is empty")
	}
	for n := 1; len(rest) > 0; n++ {
		block, after := pem.Decode(rest)
		switch {
		case block == nil:
			return fmt.Errorf("block %d: not PEM", n)
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return fmt.Errorf("block %d is a private key: keep it elsewhere; only the certificate belongs here", n)
		case block.Type != "CERTIFICATE":
			return fmt.Errorf("block %d is a %.32q, not a CERTIFICATE", n, block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("block %d: %w", n, err)
		}
		if !cert.BasicConstraintsValid || !cert.IsCA {
			return fmt.Errorf("block %d is the certificate of a server, not of an authority", n)
		}
		rest = bytes.TrimSpace(after)
	}
	return nil
}

// named adds the path to an error that does not have it.
func named(err error, path string) error {
	if strings.Contains(err.Error(), path) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
