#!/usr/bin/env python3
"""Makes texts in which people and companies meet and have no more to do with each other, .vectors/encounters.jsonl, to train
relations on.

Of the people and organizations that Wikipedia and KnowledgeNet name in one sentence most have to do with each other, so that a
model takes whoever speaks to Reuters for its employee, and who visits the Vatican, too. Here they do so only where the text says
it. Names are drawn, and belong to nobody who is meant. The notation of the texts is that of news.py.
"""

import itertools
import json
import random
import subprocess
import sys

import news

TARGET = news.ROOT / ".vectors/encounters.jsonl"
VERSIONS = 10
OUTLETS = (
    "Reuters, AP, Bloomberg, Xinhua, Kyodo, ANSA, EFE, the BBC, NPR, ABC, NBC, Fox News, Sky News, Al Jazeera, Channel 4, Radio "
    "Free Europe, Le Monde, Die Zeit, El País, La Repubblica, the New York Times, the Washington Post, the Wall Street Journal, the "
    "Financial Times, the Economist, the Times of India, the Irish Times, the Harbour Herald, the Evening Post, Politico"
).split(", ")
FIRST = (
    "Anna, Boris, Carla, Daniel, Elena, Farid, Greta, Hugo, Irene, Jonas, Karim, Laura, Miguel, Nadia, Oscar, Paula, Ravi, Sofia, "
    "Thomas, Ursula, Viktor, Wendy, Yusuf, Zoe, James, Mary, Robert, Susan, Wei, Akira"
).split(", ")
LAST = (
    "Andersen, Bauer, Costa, Dubois, Evans, Fischer, Garcia, Hansen, Ivanov, Jones, Kowalski, Lopez, Murphy, Nowak, Olsen, Patel, "
    "Quinn, Rossi, Schmidt, Tanaka, Ueda, Vargas, Wilson, Xu, Young, Zimmermann, Okoro, Mensah, Haddad, Lindberg"
).split(", ")
COMPANIES = (
    "Norvik Energy, Halden Steel, Castle Foods, Blue River Bank, Orion Motors, Delta Freight, Baltic Shipping, Green Valley Farms, "
    "Summit Airlines, Pioneer Chemicals, Stella Pharma, Northern Rail, Falcon Systems, Harbor Insurance, Atlas Mining, Vega Telecom"
).split(", ")
PLACES = "Oslo, Lyon, Madrid, Chicago, Nairobi, Osaka, Warsaw, Lima, Toronto, Vienna, Bergen, Porto, Leeds, Mumbai".split(", ")
NEWS = (
    "demand had fallen", "the plant would stay open", "prices would rise again in the spring", "the talks had failed",
    "nobody had been hurt", "the vote would be repeated", "they expected a hard winter", "the bridge was safe",
    "a deal was close", "the school would get a new roof", "the strike was over", "the river had never been so low",
)
HOSTS = "the Vatican, the White House, the United Nations, the World Bank, the European Commission, the Kremlin".split(", ")
# What the texts say, and which of FACTS are so.
TEXTS = [
    ("{p} told {o} that {n}.", ()),
    ("{p} told {o} on [Tuesday](TIME) that {n}.", ()),
    ("\"I am sorry,\" {p} told {o}.", ()),
    ("{p} told {o} that {n}, and that the city of {l} would help.", ()),
    ("According to {o}, {p} said that {n}.", ()),
    ("{p} said in an interview with {o} that {n}.", ()),
    ("Asked by {o}, {p} said that {n}.", ()),
    ("{p} declined to speak to {o}.", ()),
    ("{o} reported on [Monday](TIME) that {p} had been ill; {n}.", ()),
    ("A lawyer for {p} told {o} that {n}.", ()),
    ("{p}, a farmer, told {o} that {n}.", ()),
    ("{p}, who lost the vote in {l}, told {o} that {n}.", ()),
    ("Chief executive {p} of {c} told {o} that {n}.", ("ceo",)),
    ("{p}, chief executive of {c}, told {o} that {n}.", ("ceo",)),
    ("\"We will wait,\" {c} chief executive {p} told {o}.", ("ceo",)),
    ("{p}, a spokesman for {c}, told {o} that {n}.", ("works",)),
    ("{p}, who works for {c} in {l}, told {o} that {n}.", ("works",)),
    ("Shares of {c} fell after {p}, its chief executive, told {o} that {n}.", ("ceo",)),
    ("The chief executive, {p}, told {o} that {n}.", ()),
    ("Finance chief {p} told {o} that {n}.", ()),
    ("{p}, a reporter for {o}, said that {n}.", ("writes",)),
    ("{p}, an editor at {o}, said that {n}.", ("writes",)),
    ("{p} of {o} was in {l} when it happened: {n}.", ("writes",)),
    ("{p} met {f} at {h} on [Friday](TIME).", ()),
    ("{p} flew to {l} and will speak at {h} next week.", ()),
    ("{p} sued {c} in a court in {l}.", ()),
    ("{p}, who bought 900 shares of {c}, told {o} that {n}.", ()),
    ("{c} said that it would not buy {d}, as {o} had reported.", ()),
    ("{p}, chief executive of {c}, said that {d} had offered too little.", ("ceo",)),
    ("{p} leads {c}; {f} leads its rival, {d}.", ("ceo", "other ceo")),
    ("{p}, who runs {c}, is married to {f}, a reporter for {o}.", ("ceo", "married", "spouse writes")),
    ("{p} of {c} and {f} of {d} shook hands in {l}.", ("works", "other works")),
    ("Shares of {c} fell in {l} while those of {d} rose, said {p}, an analyst.", ()),
]
FACTS = {
    "ceo": ("{c} | chief_executive_officer | {p}", "{p} | employer | {c}"), "works": ("{p} | employer | {c}",),
    "other ceo": ("{d} | chief_executive_officer | {f}", "{f} | employer | {d}"), "other works": ("{f} | employer | {d}",),
    "writes": ("{p} | employer | {o}",), "spouse writes": ("{f} | employer | {o}",),
    "married": ("{p} | spouse | {f}", "{f} | spouse | {p}"),
}
MORE = ["", " She did not say when.", " He gave no names.", " The government did not answer.", " The news was a surprise in {l}.", " {f} agreed."]


def marked(name, kind):
    """A name in the notation, without its article, and the name that facts have."""
    article, bare = ("the ", name[4:]) if name.startswith("the ") else ("", name)
    return f"{article}[{bare}]({kind})", bare


def texts():
    """Texts in the notation, always the same."""
    draw = random.Random(1)
    for (said, facts), _ in itertools.product(TEXTS, range(VERSIONS)):
        firsts, lasts, companies = draw.sample(FIRST, 2), draw.sample(LAST, 2), draw.sample(COMPANIES, 2)
        names = {
            "p": (f"{firsts[0]} {lasts[0]}", "PER"), "f": (f"{firsts[1]} {lasts[1]}", "PER"), "c": (companies[0], "ORG"),
            "d": (companies[1], "ORG"), "o": (draw.choice(OUTLETS), "ORG"), "h": (draw.choice(HOSTS), "ORG"),
            "l": (draw.choice(PLACES), "LOC"),
        }
        names = {key: marked(*name) for key, name in names.items()}
        in_text, bare = ({key: name[form] for key, name in names.items()} for form in (0, 1))
        text = (said + draw.choice(MORE)).format(n=draw.choice(NEWS), **in_text)
        lines = [f"- {line.format(**bare)}" for fact in facts for line in FACTS[fact]] or ["- (none)"]
        yield "\n".join([text[0].upper() + text[1:], *lines])


def main():
    documents = news.with_facts("encounters", news.parse("\n\n".join(texts())))
    try:
        lines = [json.dumps(document, ensure_ascii=False) for document in documents]
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"encounters: {error}")
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    print(f"{TARGET.relative_to(news.ROOT)}: {len(lines)} documents")


if __name__ == "__main__":
    main()
