package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
)

// errOlderGateway refuses to write what a running gateway would not read: it would keep the
// keyring that it has, and miss every change after this one.
var errOlderGateway = errors.New("the running gateway is older, and does not read keyring lines with models or a budget: upgrade it first")

// readsFormat2 asks the running gateway whether it reads format 2. One that cannot be
// reached is no error, as in [keyringFlags.confirm].
func (k *keyringFlags) readsFormat2(s *settings, name string) error {
	socket, _ := k.socket(s)
	if socket == "" {
		return nil
	}
	client := gatewayClient(socket)
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), gatewayRequest)
	defer cancel()
	state, err := askGateway(ctx, client, name)
	if err == nil && state.Format < 2 {
		return errOlderGateway
	}
	return nil
}

// gatewayClient is a client of the gateway's admin socket.
func gatewayClient(socket string) *http.Client {
	return &http.Client{
		Timeout: gatewayRequest,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}},
	}
}
