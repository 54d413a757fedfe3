package caddymodule

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/llorch/gateway/caddymodule/trail"
)

// parseAudit reads the audit option of the global block. Syntax:
//
//	audit stderr | caddy
//	audit file   <absolute path>
//	audit syslog [udp|tcp|unix <address>]
//
// each with an optional block:
//
//	{
//		chain   <absolute path of a key file>
//		reserve <size> | off
//		required
//	}
func (a *App) parseAudit(d *caddyfile.Dispenser, args []string) error {
	if len(args) == 0 {
		return d.Err("want audit and one of stderr, file, syslog or caddy")
	}
	sink := AuditSink{Sink: args[0]}
	switch rest := args[1:]; {
	case sink.Sink == sinkFile && len(rest) == 1:
		sink.Path = rest[0]
	case sink.Sink == sinkSyslog && len(rest) == 2:
		sink.Network, sink.Address = rest[0], rest[1]
	case sink.Sink == sinkFile:
		return d.Err("want audit file and one absolute path; chain and required go in a block after it")
	case len(rest) > 0 && sink.Sink == sinkSyslog:
		return d.Err("want audit syslog, then nothing, or one of udp, tcp and unix and an address")
	case len(rest) > 0:
		return d.Errf("audit %s takes no value", sink.Sink)
	}
	for d.NextBlock(1) {
		if err := sink.parseOption(d); err != nil {
			return err
		}
	}
	if err := sink.check(); err != nil {
		return d.Errf("%v", err)
	}
	if slices.ContainsFunc(a.Audit, func(other AuditSink) bool { return other.target() == sink.target() }) {
		return d.Errf("audit %s is given twice", sink.target())
	}
	a.Audit = append(a.Audit, sink)
	return nil
}

func (s *AuditSink) parseOption(d *caddyfile.Dispenser) error {
	option := d.Val()
	args := d.RemainingArgs()
	switch option {
	case "chain":
		if s.Chain != "" {
			return d.Err("chain is given twice")
		}
		if len(args) != 1 {
			return d.Errf("%v", errChainPath)
		}
		s.Chain = args[0]
	case "reserve":
		if s.Reserve != 0 {
			return d.Err("reserve is given twice")
		}
		if len(args) != 1 {
			return d.Errf("%v", trail.ErrReserve)
		}
		reserve, err := trail.ParseReserve(args[0])
		if err != nil {
			return d.Errf("%v", err)
		}
		s.Reserve = reserve
	case "required":
		if len(args) != 0 {
			return d.Err("required takes no value")
		}
		s.Required = true
	default:
		return d.Errf("unknown option %s of audit; want chain, reserve or required", option)
	}
	return nil
}
