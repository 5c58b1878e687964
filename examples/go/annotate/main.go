// Annotate prints the names, relations and coreference clusters of a text.
//
//	annotate [-model DIRECTORY] [TEXT]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"strings"

	"github.com/hmtl/hmtl/bindings/go"
)

func main() {
	log.SetFlags(0)
	dir := flag.String("model", "", "model directory; that of the library if empty")
	flag.Parse()
	text := strings.Join(flag.Args(), " ")
	if text == "" {
		text = "Ingrid Solberg was born in Bergen, Norway. She joined the University of Oslo in 2009."
	}

	model, err := hmtl.Load(*dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	doc, err := model.Annotate(context.Background(), text, &hmtl.AnnotateOptions{MinScore: 0.5})
	if err != nil {
		log.Fatal(err)
	}

	for mention, label := range doc.Labelled("ner") {
		fmt.Printf("%d-%d\t%s\t%s\t%.2f\n", mention.Start, mention.End, mention.Text, label.Label, label.Score)
	}
	for _, relation := range doc.Relations {
		head, tail := doc.Arguments(relation)
		fmt.Printf("%s\t%s\t%s\t%.2f\n", head.Text, relation.Label, tail.Text, relation.Score)
	}
	for _, cluster := range doc.Clusters {
		for i, mention := range doc.ClusterMentions(cluster) {
			if i > 0 {
				fmt.Print(" = ")
			}
			fmt.Print(mention.Text)
		}
		fmt.Println()
	}
}
