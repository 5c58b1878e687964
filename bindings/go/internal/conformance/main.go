// The conformance driver of the Go binding: it makes the calls that it reads from standard input, as
// tests/conformance/README.md says.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/hmtl/hmtl/bindings/go"
)

func main() {
	driver := driver{
		answers:  bufio.NewWriter(os.Stdout),
		cancels:  map[string]token{},
		models:   map[string]*hmtl.Model{},
		datasets: map[string]*hmtl.Dataset{},
		trainers: map[string]*hmtl.Trainer{},
	}
	requests := bufio.NewReader(os.Stdin)
	for {
		call, args, err := readRequest(requests)
		if err == io.EOF {
			return
		}
		if err == nil {
			err = driver.answer(call, args)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "driver: %s: %v\n", call, err)
			os.Exit(1)
		}
	}
}

// argument is a value of a request; nil is NULL.
type argument []byte

func readRequest(r *bufio.Reader) (call string, args []argument, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		if line == "" && err == io.EOF {
			return "", nil, io.EOF
		}
		return "", nil, errors.New("an incomplete request")
	}
	var count int
	if _, err := fmt.Sscanf(line, "%s %d\n", &call, &count); err != nil {
		return "", nil, fmt.Errorf("no request: %q", line)
	}
	for range count {
		value, err := readValue(r)
		if err != nil {
			return call, nil, err
		}
		args = append(args, value)
	}
	return call, args, nil
}

func readValue(r *bufio.Reader) (argument, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, errors.New("a value is missing")
	}
	line = strings.TrimSuffix(line, "\n")
	if line == "-" {
		return nil, nil
	}
	length, err := strconv.Atoi(line)
	if err != nil || length < 0 {
		return nil, fmt.Errorf("no length: %q", line)
	}
	value := make([]byte, length+1)
	if _, err := io.ReadFull(r, value); err != nil || value[length] != '\n' {
		return nil, errors.New("a value has not the length that it says")
	}
	return value[:length:length], nil
}

type driver struct {
	answers  *bufio.Writer
	cancels  map[string]token
	models   map[string]*hmtl.Model
	datasets map[string]*hmtl.Dataset
	trainers map[string]*hmtl.Trainer
}

// token is what a cancel object is in Go.
type token struct {
	ctx    context.Context
	cancel context.CancelFunc
}

// misuse is a mistake of the suite.
type misuse string

func (m misuse) Error() string { return string(m) }

// answer makes a call. Its error is the end of the driver.
func (d *driver) answer(call string, args []argument) error {
	c := calling{driver: d, args: args}
	result, err := c.make(call)
	if err == nil && len(c.args) > 0 {
		err = misuse("too many arguments")
	}
	var failure *hmtl.Error
	switch {
	case err == nil:
		fmt.Fprintln(d.answers, "ok")
		d.write(result)
	case errors.As(err, &failure):
		fmt.Fprintln(d.answers, "error", int(failure.Code))
		d.write([]byte(failure.Message))
	default:
		return err
	}
	return d.answers.Flush()
}

func (d *driver) write(value []byte) {
	if value == nil {
		fmt.Fprintln(d.answers, "-")
		return
	}
	fmt.Fprintf(d.answers, "%d\n%s\n", len(value), value)
}

func (d *driver) event(event []byte) {
	fmt.Fprintln(d.answers, "event")
	d.write(event)
}
