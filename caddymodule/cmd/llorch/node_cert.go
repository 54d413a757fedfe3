package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// checkCertificate judges the certificate of this node's gateway before anything is
// written, as the orchestrator will when it connects.
func (j *joining) checkCertificate() error {
	if j.cert == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(j.cert, j.key)
	if err != nil {
		return fmt.Errorf("--cert and --key: %w", err)
	}
	between := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		if cert, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(cert)
		}
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{DNSName: hostOfURL(j.address), Roots: j.authorities, Intermediates: between, CurrentTime: time.Now()})
	if err != nil {
		return fmt.Errorf("--cert %s: %s", j.cert, certificateFault(err, hostOfURL(j.address), j.ca))
	}
	return nil
}

// certificateFault says what is wrong with a certificate, and what to do.
func certificateFault(err error, host, ca string) string {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return fmt.Sprintf("the certificate of %s has expired or is not valid yet: renew it, and look at both clocks", host)
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("the certificate is not for %s: use the name that it has, or have one made for this name", host)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		if ca != "" {
			return fmt.Sprintf("the certificate of %s is not by an authority in %s: name the file of its authority with --ca", host, ca)
		}
		return fmt.Sprintf("the certificate of %s is not by an authority that this system trusts: name the file of its authority with --ca", host)
	}
	return fmt.Sprintf("the certificate of %s: %v", host, err)
}
