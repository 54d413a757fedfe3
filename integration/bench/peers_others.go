package main

import (
	"context"
	"os/exec"
)

// others are proxies that this machine may have installed: their usual settings for a
// reverse proxy of event streams, without a token check.
const (
	nginxConfig = `daemon off;
pid DIR/nginx.pid;
error_log DIR/error.log;
worker_processes 2;
events { worker_connections 4096; }
http {
	access_log DIR/access.log;
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	client_max_body_size 32m;
	upstream engine { server UPSTREAM_ADDRESS; keepalive 256; }
	server {
		listen ADDRESS;
		location / {
			proxy_pass http://engine;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_buffering off;
		}
	}
}
`
	haproxyConfig = `global
	nbthread 2
	maxconn 4096
defaults
	mode http
	timeout connect 5s
	timeout client 10m
	timeout server 10m
	http-reuse always
frontend gate
	bind ADDRESS
	default_backend engine
backend engine
	server engine UPSTREAM_ADDRESS
`
)

func startNginx(ctx context.Context, b *bench, p *proxy) error {
	return startInstalled(ctx, b, p, "nginx", nginxConfig, "-p", "DIR", "-c", "CONFIG")
}

func startHAProxy(ctx context.Context, b *bench, p *proxy) error {
	return startInstalled(ctx, b, p, "haproxy", haproxyConfig, "-f", "CONFIG")
}

func startInstalled(ctx context.Context, b *bench, p *proxy, program, config string, args ...string) error {
	path, err := exec.LookPath(program)
	if err != nil {
		return errAbsent
	}
	dir, file, err := b.prepare(p, program+".conf", config)
	if err != nil {
		return err
	}
	command := []string{path}
	for _, arg := range args {
		switch arg {
		case "DIR":
			arg = dir
		case "CONFIG":
			arg = file
		}
		command = append(command, arg)
	}
	return p.start(ctx, dir, nil, command...)
}
