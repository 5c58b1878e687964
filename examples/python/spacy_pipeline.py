"""Names, relations and coreference as a component of a spaCy pipeline; documents are kept in a file.

spacy_pipeline.py [FILE.spacy]
"""

import sys

import spacy
from spacy.tokens import DocBin

import hmtl.spacy

TEXTS = [
    "Ingrid Solberg was born in Bergen, Norway. She joined the University of Oslo in 2009.",
    "José Silva lives in São Paulo. His sister, a doctor, left Brazil for Lisbon.",
]

nlp = spacy.blank("en")
nlp.add_pipe("sentencizer")
nlp.add_pipe("hmtl", config={"min_score": 0.5})

documents = list(nlp.pipe(TEXTS))
for document in documents:
    print([(entity.text, entity.label_) for entity in document.ents])
    print("nested:", [(span.text, span.label_) for span in document.spans["hmtl/emd"]])
    for relation in document._.hmtl_relations:
        print(f"{relation.head} {relation.label} {relation.tail}")
    for cluster in document._.hmtl_clusters:
        print(" = ".join(span.text for span in cluster))

if len(sys.argv) > 1:
    DocBin(docs=documents).to_disk(sys.argv[1])
    documents = DocBin().from_disk(sys.argv[1]).get_docs(nlp.vocab)

# The same as documents of the library, such as data to train with.
with hmtl.Dataset(map(hmtl.spacy.from_doc, documents)) as data:
    print(data.info()["labels"])
