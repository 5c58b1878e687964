// Batch annotates the lines of standard input and prints a document a line. Ctrl-C, or the end of
// the time that -timeout gives, stops it between two documents.
//
//	batch [-model DIRECTORY] [-timeout 10s] <texts.txt >documents.jsonl
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"log"
	"os"
	"os/signal"

	"github.com/hmtl/hmtl/bindings/go"
)

func main() {
	log.SetFlags(0)
	dir := flag.String("model", "", "model directory; that of the library if empty")
	timeout := flag.Duration("timeout", 0, "stop after this time")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program, should it wait for input
	if *timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *timeout)
		defer cancel()
	}
	model, err := hmtl.Load(*dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()

	input := bufio.NewReader(os.Stdin)
	output := bufio.NewWriter(os.Stdout)
	defer output.Flush()
	documents := json.NewEncoder(output)
	count := 0
	for doc, err := range model.Documents(ctx, lines(input), nil) {
		if errors.Is(err, hmtl.CodeCancelled) {
			fmt.Fprintf(os.Stderr, "stopped after %d documents: %v\n", count, ctx.Err())
			return
		}
		count++
		if err != nil { // of this text alone
			log.Printf("line %d: %v", count, err)
			continue
		}
		if err := documents.Encode(doc); err != nil {
			log.Print(err)
			return
		}
	}
	fmt.Fprintf(os.Stderr, "%d documents\n", count)
}

// lines goes over the lines of r, however long.
func lines(r *bufio.Reader) iter.Seq[string] {
	return func(yield func(string) bool) {
		for {
			line, err := r.ReadString('\n')
			if line != "" && !yield(line) || err != nil {
				if err != nil && err != io.EOF {
					log.Print(err)
				}
				return
			}
		}
	}
}
