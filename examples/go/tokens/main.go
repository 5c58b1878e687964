// Tokens annotates text that was split into tokens by another program: it reads a token a line, with
// an empty line after each sentence, and prints them with the tags of their names.
//
//	tokens [-model DIRECTORY] <tokens.txt
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"os"

	"github.com/hmtl/hmtl/bindings/go"
)

func main() {
	log.SetFlags(0)
	dir := flag.String("model", "", "model directory; that of the library if empty")
	flag.Parse()

	var tokens []string
	var ends []int // after the last token of each sentence
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		if token := input.Text(); token != "" {
			tokens = append(tokens, token)
		} else {
			ends = append(ends, len(tokens))
		}
	}
	if err := input.Err(); err != nil {
		log.Fatal(err)
	}
	ends = append(ends, len(tokens)) // an empty sentence does no harm

	model, err := hmtl.Load(*dir, &hmtl.LoadOptions{Tasks: []string{"ner"}})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	doc, err := model.AnnotateTokens(context.Background(), tokens, ends, nil)
	if err != nil {
		log.Fatal(err)
	}

	tags := make([]string, len(tokens))
	for mention, label := range doc.Labelled("ner") {
		for i := mention.FirstToken; i < mention.LastToken; i++ {
			tags[i] = "I-" + label.Label
		}
		tags[mention.FirstToken] = "B-" + label.Label
	}
	for _, sentence := range doc.Sentences {
		for i := sentence.FirstToken; i < sentence.LastToken; i++ {
			tag := tags[i]
			if tag == "" {
				tag = "O"
			}
			fmt.Printf("%s\t%s\n", tokens[i], tag)
		}
		fmt.Println()
	}
}
