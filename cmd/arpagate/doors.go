package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/httpd"
	"github.com/arpagate/arpagate/internal/listen"
	"github.com/arpagate/arpagate/internal/milterd"
	"github.com/arpagate/arpagate/internal/policyd"
)

// door is one open socket and what serves it. All sockets of a kind share one
// server, with its limit and its counters.
type door struct {
	kind     string
	listener net.Listener
	serve    func(context.Context, net.Listener) error
}

// openDoors binds every address of the configuration, or fails.
func (d *daemon) openDoors(ctx context.Context, inherited *listen.Inherited) error {
	c := &d.config.Listen
	d.policy = &policyd.Handler{Ask: d.gate.Ask, Stage: facts.Stage(c.PolicyStage), OnTrouble: func(peer net.Addr, err error) {
		d.log.Warn("policy", "peer", peer.String(), "error", err)
	}}
	d.milter = &milterd.Handler{Ask: d.gate.Ask, AuthservID: d.config.Site.AuthservID, Log: func(err error) {
		d.log.Warn("milter", "error", err)
	}}
	d.policyServer = d.server("policy", d.policy.Serve)
	d.milterServer = d.server("milter", d.milter.Serve)
	for _, kind := range []struct {
		name      string
		addresses []listen.Address
		serve     func(context.Context, net.Listener) error
	}{
		{"policy", c.Policy, d.policyServer.Serve},
		{"milter", c.Milter, d.milterServer.Serve},
		{"http", c.HTTP, d.serveHTTP},
	} {
		for _, address := range kind.addresses {
			l, err := listen.Open(ctx, address, listen.Options{Mode: fs.FileMode(c.UnixMode), Inherited: inherited})
			if err != nil {
				return err
			}
			d.doors = append(d.doors, door{kind: kind.name, listener: l, serve: kind.serve})
		}
	}
	return nil
}

func (d *daemon) server(name string, handle func(context.Context, net.Conn)) *listen.Server {
	return &listen.Server{
		Name: name, Handle: handle, MaxConns: d.config.Listen.MaxConnections,
		OnPanic: func(value any, stack []byte) {
			d.log.Error("a handler panicked; its connection is closed, the others go on", "door", name, "value", value, "stack", string(stack))
		},
		OnAcceptError: func(err error) {
			d.log.Error("no connection can be accepted at the moment", "door", name, "error", err)
		},
	}
}

// maxHTTP bounds the connections to the pages, so that they never starve the
// doors of file descriptors.
const maxHTTP = 256

// serveHTTP serves the pages until ctx ends.
func (d *daemon) serveHTTP(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: httpd.New(httpd.Config{
			Site: d.config.Site.Name, Case: d.find, Metrics: d.metrics.Handler(), Trouble: d.trouble, Ready: d.ready.Load,
		}),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10,
		// The default writes to standard error past the log, and waits for it.
		ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(grace)
	}()
	err := server.Serve(netutil.LimitListener(l, maxHTTP))
	if errors.Is(err, http.ErrServerClosed) {
		<-stopped
		return nil
	}
	return err
}
