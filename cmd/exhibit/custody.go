package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/cmd/pins"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/custody"
)

func newCustody(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "custody",
		Short: "Sign who held a sealed case or a production, and when",
		Long: `custody adds records to the folder of a sealed case, or of a production, in custody/, outside of what is signed: a hand-over changes nothing in it. Each
record states what the container is at that moment, for which every file is hashed again; names the record before; and is signed with your key. The one who
releases a case signs before it is packed, the one who receives it after it was unpacked. "exhibit-verify check" checks the chain. Of a packed case, unpack it
first: its form is fixed. A production begins a chain of its own.`,
	}
	cmd.AddCommand(newCustodyTransfer(p), newCustodyReceive(p), newCustodyVerified(p), newCustodyAdd(p), newCustodyList(p))
	return cmd
}

// statement is a line of a record that a person states, as a flag.
type statement struct {
	name, usage string
	value       func(*custody.Record) *string
}

// partyStatements are the three lines of a party.
func partyStatements(name, who string, of func(*custody.Record) *custody.Party) []statement {
	return []statement{
		{name, "`NAME` of who " + who, func(r *custody.Record) *string { return &of(r).Name }},
		{name + "-organisation", "`TEXT`: whom they work for", func(r *custody.Record) *string { return &of(r).Organisation }},
		{name + "-contact", "`TEXT`: how they can be reached", func(r *custody.Record) *string { return &of(r).Contact }},
	}
}

func byStatements(who string) []statement {
	return partyStatements("by", who, func(r *custody.Record) *custody.Party { return &r.By })
}

func handoverStatements() []statement {
	return append(partyStatements("released-by", "releases the case", func(r *custody.Record) *custody.Party { return &r.ReleasedBy }),
		partyStatements("received-by", "receives it", func(r *custody.Record) *custody.Party { return &r.ReceivedBy })...)
}

// otherStatements are those of every event.
func otherStatements() []statement {
	return []statement{
		{"exhibit", "`TEXT`: which exhibit it is (default what the case states)", func(r *custody.Record) *string { return &r.Exhibit }},
		{"description", "`TEXT`: what it is", func(r *custody.Record) *string { return &r.Description }},
		{"purpose", "`TEXT`: why", func(r *custody.Record) *string { return &r.Purpose }},
		{"authority", "`TEXT`: by what right", func(r *custody.Record) *string { return &r.Authority }},
		{"method", "`TEXT`: how: courier, SFTP, …", func(r *custody.Record) *string { return &r.Method }},
		{"from-place", "`TEXT`: from where", func(r *custody.Record) *string { return &r.FromPlace }},
		{"to-place", "`TEXT`: to where", func(r *custody.Record) *string { return &r.ToPlace }},
		{"storage", "`TEXT`: storage id, or number of the seal", func(r *custody.Record) *string { return &r.Storage }},
		{"condition", "`TEXT`: in what condition it is", func(r *custody.Record) *string { return &r.Condition }},
		{"changes", "`TEXT`: what could not but be changed, and why", func(r *custody.Record) *string { return &r.Changes }},
	}
}

// custodyOptions are the statements of one command, with the values of their flags.
type custodyOptions struct {
	statements []statement
	values     map[string]*string
	key        signing
}

// flags adds a flag for each statement; those in required must be given.
func (o *custodyOptions) flags(cmd *cobra.Command, required ...string) {
	o.values = map[string]*string{}
	for _, s := range o.statements {
		usage := s.usage
		if slices.Contains(required, s.name) {
			usage += " (required)"
		}
		o.values[s.name] = cmd.Flags().String(s.name, "", usage)
	}
	o.key.AddFlags(cmd)
	for _, name := range required {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was made above
		}
	}
}

// state puts what was given into a record, over what stands there.
func (o *custodyOptions) state(cmd *cobra.Command, r *custody.Record) error {
	for _, s := range o.statements {
		if !cmd.Flags().Changed(s.name) {
			continue
		}
		value := *o.values[s.name]
		if err := bag.CheckValue(value); err != nil {
			return cli.Fail(cli.Usage, fmt.Errorf("--%s: %w", s.name, err), "nothing was recorded", "give 1 to 4,096 bytes of UTF-8, without control characters and without space at either end")
		}
		*s.value(r) = value
	}
	return nil
}

func newCustodyTransfer(p *program) *cobra.Command {
	o := custodyOptions{statements: append(handoverStatements(), otherStatements()...)}
	cmd := &cobra.Command{
		Use:   "transfer DIR",
		Short: "Sign that a sealed case is released to somebody",
		Long: `transfer records that the case is released, and to whom, signed by the one who releases it. Do it before the case is packed, so that the record goes with
it. Until the one who receives it has signed too, a check says that nobody has.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := custody.Record{Event: custody.Transferred}
			if err := o.state(cmd, &r); err != nil {
				return err
			}
			return runCustody(cmd, p, adding{args[0], &o.key}, func(context.Context, *custodian) (custody.Record, error) { return r, nil })
		},
	}
	o.flags(cmd, "released-by", "received-by")
	return cmd
}

func newCustodyReceive(p *program) *cobra.Command {
	o := custodyOptions{statements: append(handoverStatements(), otherStatements()...)}
	var unreleased bool
	cmd := &cobra.Command{
		Use:   "receive DIR",
		Short: "Sign that a sealed case was received",
		Long: `receive records that the case was received, signed by the one who receives it. It acknowledges the last release that nobody has acknowledged, and takes both
parties from it unless the flags say otherwise. With --unreleased there is none: then --released-by and --received-by are needed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			given := custody.Record{Event: custody.Received}
			if err := o.state(cmd, &given); err != nil {
				return err
			}
			if unreleased && (given.ReleasedBy.Name == "" || given.ReceivedBy.Name == "") {
				return cli.Fail(cli.Usage, errors.New("--unreleased needs --released-by and --received-by"), "nothing was recorded", "")
			}
			return runCustody(cmd, p, adding{args[0], &o.key}, func(_ context.Context, c *custodian) (custody.Record, error) {
				if unreleased {
					return given, nil
				}
				r, err := c.receipt()
				if err != nil {
					return r, err
				}
				if given.ReleasedBy.Name != "" { // somebody else than the release names, who has nothing of them
					r.ReleasedBy = custody.Party{}
				}
				if given.ReceivedBy.Name != "" {
					r.ReceivedBy = custody.Party{}
				}
				return r, o.state(cmd, &r)
			})
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&unreleased, "unreleased", false, "the one who released the case signed no record of it")
	return cmd
}

func newCustodyAdd(p *program) *cobra.Command {
	o := custodyOptions{statements: append(byStatements("did it"), otherStatements()...)}
	var event string
	cmd := &cobra.Command{
		Use:   "add DIR",
		Short: "Sign another event in the life of a sealed case",
		Long: `add records what else happened to the case: that it was created, sealed, copied, accessed, exported, redacted, stored or destroyed. Hand-overs and checks have
commands of their own.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cli.OneOf("event", event, otherEvents()); err != nil {
				return err
			}
			r := custody.Record{Event: event}
			if err := o.state(cmd, &r); err != nil {
				return err
			}
			return runCustody(cmd, p, adding{args[0], &o.key}, func(context.Context, *custodian) (custody.Record, error) { return r, nil })
		},
	}
	cmd.Flags().StringVar(&event, "event", "", "`EVENT`: "+strings.Join(otherEvents(), ", "))
	o.flags(cmd, "by")
	cmd.MarkFlagRequired("event")
	return cmd
}

// otherEvents are those that no other command records.
func otherEvents() []string {
	return slices.DeleteFunc(custody.Events(), func(e string) bool { return e == custody.Transferred || e == custody.Received || e == custody.Verified })
}

func newCustodyVerified(p *program) *cobra.Command {
	o := custodyOptions{statements: append(byStatements("checks the case"), otherStatements()...)}
	var given pins.Pins
	cmd := &cobra.Command{
		Use:   "verified DIR",
		Short: "Check a sealed case and sign what the check said",
		Long: `verified checks the case as "exhibit-verify check" does, with the same flags, and records the verdict: what holds, and what you had from elsewhere that it was
held against. Nothing is recorded of a case that is altered or damaged, or that does not meet what was given.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			env, err := p.env()
			if err != nil {
				return err
			}
			check, err := given.Options(cmd, env.Now(), "nothing was recorded")
			if err != nil {
				return err
			}
			r := custody.Record{Event: custody.Verified}
			if err := o.state(cmd, &r); err != nil {
				return err
			}
			return runCustody(cmd, p, adding{args[0], &o.key}, func(ctx context.Context, c *custodian) (custody.Record, error) {
				var err error
				r.Result, err = c.check(ctx, check)
				return r, err
			})
		},
	}
	o.flags(cmd, "by")
	given.Flags(cmd)
	given.DeepFlag(cmd)
	return cmd
}
