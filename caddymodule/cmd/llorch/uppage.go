package main

import (
	"errors"
	"fmt"
	"net"

	"github.com/llorch/gateway/authmin"
)

// pageAddress is where the page of up listens, unless the port is in use or --page names
// another; secondPageAddress where the gateway listens at the first.
const (
	pageAddress       = "127.0.0.1:8082"
	secondPageAddress = "127.0.0.1:8083"
)

// pageOff is the value of --page for none.
const pageOff = "off"

// readPage reads --page and --open.
func (o *upOptions) readPage(page string, open bool) error {
	o.page, o.open = page, open
	switch {
	case o.config != "" && (page != "" || open):
		return errors.New("--page and --open are for the built-in Caddyfile; with --config write `authmin_page` into a site of that file")
	case o.config != "":
	case page == pageOff && open:
		return errors.New("--open and --page off: there is no page to open")
	case page == pageOff:
		o.page = ""
	case page == "" && samePort(o.listen, pageAddress):
		o.page, o.pageMayMove = secondPageAddress, true
	case page == "":
		o.page, o.pageMayMove = pageAddress, true
	case samePort(page, o.listen):
		return fmt.Errorf("--page %s: the gateway has this port; the page needs a port of its own", page)
	default:
		if _, port, err := net.SplitHostPort(page); err != nil || port == "" || !authmin.IsLoopbackListen(page) {
			return fmt.Errorf("--page %s: want 127.0.0.1:PORT, or off", page)
		}
	}
	return nil
}

// samePort reports whether two addresses have one port, which the page may not share: the
// gateway's site has no host name.
func samePort(a, b string) bool {
	_, x, errA := net.SplitHostPort(a)
	_, y, errB := net.SplitHostPort(b)
	return errA == nil && errB == nil && x == y && x != "0"
}

// placePage finds the page's port. Only one that the user has named must be free.
func (o *upOptions) placePage() error {
	if o.page == "" {
		return nil
	}
	page, err := checkFree("--page", o.page)
	if errors.Is(err, errInUse) && o.pageMayMove {
		page, err = checkFree("--page", "127.0.0.1:0")
	}
	o.page = page
	return err
}

// pageURL is where a browser finds the page; "" for none.
func (o upOptions) pageURL() string {
	if o.page == "" {
		return ""
	}
	return "http://" + o.page + "/"
}

// pagePort is the port of the page, which the name localhost leads to as well.
func (o upOptions) pagePort() string {
	_, port, _ := net.SplitHostPort(o.page)
	return port
}
