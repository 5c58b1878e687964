"""The model of the library in Python and PyTorch, as one would write it there: reads the same directory,
gives the same annotations. A yardstick for speed, not a second implementation to build on: it knows the
layers of `models/default` alone. `run_torch.py` measures it.
"""

import json
import math
from collections import defaultdict
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

MAX_SEQUENCES, MAX_PADDED_TOKENS = 64, 4096


class Encoder(nn.Module):
    """A bidirectional LSTM over packed sequences."""

    def __init__(self, weights, prefix):
        super().__init__()
        hidden, inputs = weights[f"{prefix}.weight_hh_l0"].shape[1], weights[f"{prefix}.weight_ih_l0"].shape[1]
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True, bidirectional=True)
        self.lstm.load_state_dict(
            {name.removeprefix(prefix + "."): w for name, w in weights.items() if name.startswith(prefix + ".")}
        )

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]


class HmtlTorch(nn.Module):
    def __init__(self, folder):
        super().__init__()
        folder = Path(folder)
        self.config = json.loads((folder / "config.json").read_text())
        stored = load_file(folder / "weights.safetensors")
        w = {
            n: t.float() * (stored[n + ".scale"].unsqueeze(1) if n + ".scale" in stored else 1)
            for n, t in stored.items()
            if not n.endswith(".scale")
        }
        self.w = {n: nn.Parameter(t, requires_grad=False) for n, t in w.items()}

        def ids(name):
            return {n: i + 2 for i, n in enumerate((folder / "vocabulary" / name).read_text().split("\n")[:-1])}

        self.words, self.chars = ids("words.txt"), ids("chars.txt")
        self.labels = json.loads((folder / "vocabulary/labels.json").read_text())
        self.encoders = nn.ModuleDict({n: Encoder(w, f"encoders.{n}") for n in self.config["encoders"]})
        self.tags = [("O", 0)] + [(p, x) for x in range(len(self.labels["ner"])) for p in "BILU"]
        may = torch.tensor([[self._follows(a, b) for b in self.tags] for a in self.tags])
        never = torch.tensor(float("-inf"))
        first = torch.tensor([t[0] in "OBU" for t in self.tags])
        last = torch.tensor([t[0] in "OLU" for t in self.tags])
        self.transitions = torch.where(may, self.w["tasks.ner.transitions"], never).double()
        self.start = torch.where(first, self.w["tasks.ner.start"], never).double()
        self.end = torch.where(last, self.w["tasks.ner.end"], never).double()
        self.eval()

    @staticmethod
    def _follows(a, b):
        inside = b[0] in "IL"
        return inside and a[0] in "BI" and a[1] == b[1] or not inside and a[0] not in "BI"

    # Encoding

    def embed(self, sentences, length):
        """(B, L, width)"""
        distinct = {}
        spelled = [distinct.setdefault(word, len(distinct)) for s in sentences for word in s]
        chars = pad_sequence(
            [torch.tensor([self.chars.get(c, 1) for c in word[:64]]) for word in distinct], batch_first=True
        )
        kernel = self.w["embedding.chars.conv0.weight"]
        around = kernel.shape[2] - 1
        present = chars.ne(0).float()
        x = self.w["embedding.chars.weight"][chars] * present.unsqueeze(2)
        x = F.conv1d(x.transpose(1, 2), kernel, self.w["embedding.chars.conv0.bias"], padding=around).relu()
        seen = F.max_pool1d(F.pad(present, (around, around)), kernel.shape[2], 1)
        x = (x * seen.unsqueeze(1)).amax(2)  # (distinct, filters)
        words = torch.tensor([self.words.get(word.lower(), 1) for s in sentences for word in s])
        rows = torch.cat([x[torch.tensor(spelled)], self.w["embedding.words.weight"][words]], 1)
        return pad_sequence(rows.split([len(s) for s in sentences]), batch_first=True)

    def encode(self, sentences):
        lengths = torch.tensor([len(s) for s in sentences])
        out = {"embedding": self.embed(sentences, int(lengths.max()))}
        inputs = {}
        for name, encoder in self.config["encoders"].items():
            inputs[name] = torch.cat([out[i] for i in encoder["inputs"]], 2)
            out[name] = self.encoders[name](inputs[name], lengths)
        return inputs, out, lengths

    def linear(self, x, name, bias=True):
        prefix = f"tasks.{name}"
        weight = self.w.get(prefix + ".weight", self.w.get(prefix))
        return F.linear(x, weight, self.w.get(prefix + ".bias") if bias else None)

    # Heads of sentences

    def ner(self, x, lengths):
        """Spans of each sentence: first, last, label, probability."""
        emissions = self.linear(x, "ner.projection").double()
        batch, length, n = emissions.shape
        mask = torch.arange(length) < lengths.unsqueeze(1)
        score = self.start + emissions[:, 0]
        alpha, back, forward = score, [], [score]
        for t in range(1, length):
            best, arg = (score.unsqueeze(2) + self.transitions).max(1)
            here = mask[:, t].unsqueeze(1)
            score = torch.where(here, best + emissions[:, t], score)
            back.append(torch.where(here, arg, torch.arange(n)))
            step = (alpha.unsqueeze(2) + self.transitions).logsumexp(1) + emissions[:, t]
            alpha = torch.where(here, step, alpha)
            forward.append(alpha)
        total = (alpha + self.end).logsumexp(1)
        beta = self.end.expand(batch, n)
        backward = [beta]
        for t in range(length - 1, 0, -1):
            step = (self.transitions + (emissions[:, t] + beta).unsqueeze(1)).logsumexp(2)
            beta = torch.where(mask[:, t].unsqueeze(1), step, beta)
            backward.append(beta)
        forward, backward = torch.stack(forward, 1).tolist(), torch.stack(backward[::-1], 1).tolist()
        tag = (score + self.end).argmax(1)
        path = [tag]
        for arg in reversed(back):
            tag = arg.gather(1, tag.unsqueeze(1)).squeeze(1)
            path.append(tag)
        path, total = torch.stack(path[::-1], 1).tolist(), total.tolist()
        emitted, moved = emissions.tolist(), self.transitions.tolist()
        found = []
        for b, tokens in enumerate(lengths.tolist()):
            spans, first = [], 0
            for t, tag in enumerate(path[b][:tokens]):
                part, label = self.tags[tag]
                if part in "BU":
                    first = t
                if part in "LU":
                    log = forward[b][first][path[b][first]] + backward[b][t][tag]
                    log += sum(
                        moved[path[b][k - 1]][path[b][k]] + emitted[b][k][path[b][k]] for k in range(first + 1, t + 1)
                    )
                    spans.append((first, t + 1, label, min(1.0, math.exp(log - total[b]))))
            found.append(spans)
        return found

    def emd_scores(self, x, lengths):
        ends = [F.pad(self.linear(x, f"emd.{e}").relu(), (0, 1), value=1.0) for e in ("start", "end")]
        product = self.w["tasks.emd.product"]
        scores = torch.einsum("bis,sce,bje->bijc", ends[0], product, ends[1])
        length = x.shape[1]
        apart = torch.arange(length) - torch.arange(length).unsqueeze(1)
        scores = scores + self.w["tasks.emd.width"][apart.clamp(0, len(self.w["tasks.emd.width"]) - 1)]
        widest = self.config["tasks"]["emd"]["max_width"]
        return scores, (apart >= 0) & (apart < widest) & (torch.arange(length) < lengths.view(-1, 1, 1))

    def emd(self, x, lengths):
        scores, wanted = self.emd_scores(x, lengths)
        score, label = scores.softmax(3).max(3)
        wanted = wanted & (label > 0)
        found = [[] for _ in range(len(x))]
        cells = wanted.nonzero()
        for (b, i, j), s, c in zip(cells.tolist(), score[wanted].tolist(), label[wanted].tolist()):
            found[b].append((i, j + 1, c - 1, s))
        return [self.without_crossings(spans) for spans in found]

    def calibrated(self, task, score):
        if (calibration := self.config["tasks"][task].get("calibration")) is None:
            return score
        least = torch.finfo(torch.float32).eps
        score = min(max(score, least), 1 - least)
        logit = calibration["scale"] * math.log(score / (1 - score)) + calibration["shift"]
        return 1 / (1 + math.exp(-logit))

    @staticmethod
    def without_crossings(spans):
        kept = []
        for span in sorted(spans, key=lambda s: (-s[3], s[0], s[1])):
            if not any(a < span[0] < b < span[1] or span[0] < a < span[1] < b for a, b, *_ in kept):
                kept.append(span)
        return sorted(kept)

    # Heads of documents

    def agreed(self, task, spans, votes, thing):
        """Spans with the label that has most of the votes of the thing that they are of, if any."""
        sure, found = self.config["tasks"][task]["agreement"]["sure"], []
        for span in spans:
            first, last, label, score = span
            own = votes.get(thing(span), {})
            best = max(sorted(own), key=own.get, default=label)
            if best != label and score < sure:
                label, score = best, own[best] / sum(own.values())
            found.append((first, last, label, score))
        return found

    def agree_on_names(self, task, spans, words):
        config = self.config["tasks"][task].get("agreement", {})
        names, last = ({self.labels[task].index(x) for x in config.get(k, [])} for k in ("names", "last_tokens"))
        if not names:
            return spans

        def name(span):
            return tuple(words[span[0] : span[1]]) if span[2] in names else None

        votes = defaultdict(lambda: defaultdict(float))
        for span in spans:
            if span[2] in names:
                votes[name(span)][span[2]] += span[3]
        for span in spans:
            if span[2] in last and span[1] - span[0] > 1 and (key := (words[span[1] - 1],)) in votes:
                votes[key][span[2]] += span[3]
        return self.agreed(task, spans, votes, name)

    def agree_in_clusters(self, task, spans, clusters):
        if self.config["tasks"][task].get("agreement", {}).get("clusters") is None:
            return spans
        cluster_of = {span: c for c, cluster in enumerate(clusters) for span in cluster}
        votes = defaultdict(lambda: defaultdict(float))
        for first, last, label, score in spans:
            if (first, last) in cluster_of:
                votes[cluster_of[first, last]][label] += score
        return self.agreed(task, spans, votes, lambda span: cluster_of.get(span[:2]))

    def names_among(self, ner, names):
        """Labels of the names that `same_names` or `other_names` wants, by their places."""
        labels = names["labels"] if names else ()
        return {(a, b): label for a, b, label, _ in ner if self.labels["ner"][label] in labels}

    @staticmethod
    def join_same_names(clusters, label_of, words):
        clusters, first = [sorted(c) for c in sorted(clusters)], {}
        place = list(range(len(clusters)))
        for at, mentions in enumerate([list(c) for c in clusters]):
            for a, b in mentions:
                if (a, b) in label_of:
                    name = (None, tuple(words[a:b]), label_of[a, b])
                elif (a + 1, b) in label_of:
                    name = (words[a].lower(), tuple(words[a + 1 : b]), label_of[a + 1, b])
                else:
                    continue
                early, late = sorted((place[at], place[first.setdefault(name, at)]))
                apart = all(b <= c or d <= a for a, b in clusters[early] for c, d in clusters[late])
                if early != late and apart:
                    clusters[early] = sorted(clusters[early] + clusters[late])
                    clusters[late] = []
                    place = [early if p == late else p for p in place]
        return [c for c in clusters if c]

    def relation(self, rows, mentions, sentence_of, keys, clusters):
        config, labels = self.config["tasks"]["relation"], self.labels["relation"]
        names = mentions
        groups = self.name_groups(names, keys)
        self.join_clusters(groups, names, clusters)
        if config.get("references"):
            mentions, groups = self.with_references(groups, names, clusters)
        pairs, group, entities, logits = self.pair_logits(rows, mentions, groups, sentence_of)
        if not pairs:
            return []
        logits = logits.double()
        odds = torch.zeros(len(entities), logits.shape[1], dtype=torch.double).index_add_(0, group, logits.exp())
        keys = list(entities)
        # Both directions of a symmetric label have one probability.
        symmetric = torch.tensor([label in config.get("symmetric", []) for label in labels])
        back = torch.tensor([entities[tail, head] for head, tail in keys])
        odds = torch.where(symmetric, (odds * odds[back]).sqrt(), odds)
        probability = odds / (1 + odds)
        heads = [key[0] for key in keys]
        best = {}
        for h, p in zip(heads, probability):
            best[h] = torch.maximum(best[h], p) if h in best else p
        own = config.get("thresholds", {})
        threshold = torch.tensor([own.get(label, config["threshold"]) for label in labels], dtype=torch.double)
        own = config.get("rivalries", {})
        rivalry = torch.tensor([own.get(label, config["rivalry"]) for label in labels], dtype=torch.double)
        holds = (probability > threshold) & (probability >= rivalry * torch.stack([best[h] for h in heads]))
        holds &= ~symmetric | holds[back]
        stated = {}
        for k, (g, row) in enumerate(zip(group.tolist(), logits)):
            for label in holds[g].nonzero().flatten().tolist():
                fact = min(g, back[g].item()) if symmetric[label] else g
                if row[label] > stated.get((fact, label), (float("-inf"),))[0]:
                    stated[fact, label] = (row[label].item(), k)
        scale, shift = config["calibration"]["scale"], config["calibration"]["shift"]
        found = []
        for (g, label), (_, k) in stated.items():
            score = torch.sigmoid(scale * odds[g, label].log() + shift).item()
            head, tail = (self.nearest_name(m, names, mentions, groups) for m in pairs[k])
            if symmetric[label] and tail < head:
                head, tail = tail, head
            found.append((head, tail, label, score))
        return found

    @staticmethod
    def clusters_of(mentions, clusters):
        of = {span: c for c, spans in enumerate(clusters) for span in spans}
        found = []
        for a, b, *_ in mentions:
            around = [first for first, last in of if last == b and first < a]
            wider = of[max(around), b] if around else None
            found.append(of.get((a, b), of.get((a - 1, b), wider)))
        return found

    def join_clusters(self, groups, mentions, clusters):
        first = {}
        for m, cluster in enumerate(self.clusters_of(mentions, clusters)):
            if cluster is not None:
                old, new = groups[m], groups[first.setdefault((cluster, mentions[m][2]), m)]
                groups[:] = [new if group == old else group for group in groups]

    def with_references(self, groups, names, clusters):
        """The other mentions of clusters whose names are of one entity and type."""
        kinds = defaultdict(set)
        for m, cluster in enumerate(self.clusters_of(names, clusters)):
            kinds[cluster].add((names[m][2], groups[m]))
        mentions, groups = list(names), list(groups)
        for c, spans in enumerate(clusters):
            if len(kinds[c]) == 1:
                ((label, group),) = kinds[c]
                for a, b in spans:
                    if not any(first < b and a < last for first, last, *_ in names):
                        mentions.append((a, b, label, None))
                        groups.append(group)
        return mentions, groups

    @staticmethod
    def nearest_name(m, names, mentions, groups):
        if m < len(names):
            return names[m][:2]
        at = mentions[m][0]
        own = [name[:2] for name, group in zip(names, groups) if group == groups[m]]
        return min(own, key=lambda span: (span[0] > at, abs(span[0] - at)))

    def relation_rows(self, inputs, encoded):
        """What relations read of tokens: the encoder's output, and what their words give, if they are compared."""
        words = self.w.get("tasks.relation.match.words")
        return encoded if words is None else torch.cat([encoded, F.linear(inputs, words)], -1)

    def pair_logits(self, rows, mentions, groups, sentence_of):
        """Pairs of mentions of two groups, the pair of groups of each, these pairs, and logits (pairs, labels)."""
        config = self.config["tasks"]["relation"]
        if not mentions:
            return [], None, {}, None
        span = torch.tensor([(a, b) for a, b, *_ in mentions])
        types = torch.tensor([m[2] for m in mentions])
        sums = F.pad(rows.double().cumsum(0), (0, 0, 1, 0))
        width = self.w["tasks.relation.context.weight"].shape[1]

        def mean(first, last):
            return ((sums[last] - sums[first]) / (last - first).clamp(min=1).unsqueeze(1)).float()

        own, words = mean(span[:, 0], span[:, 1]).split([width, rows.shape[1] - width], 1)
        m = torch.cat(
            [
                rows[span[:, 0], :width],
                rows[span[:, 1] - 1, :width],
                own,
                self.w["tasks.relation.types"][types],
            ],
            1,
        )
        m = self.linear(m, "relation.mention").relu()
        sentence = [sentence_of[a] for a, *_ in mentions]
        order = sorted(range(len(mentions)), key=lambda i: mentions[i][:2])
        pairs = []
        for at, a in enumerate(order):
            for b in order[at + 1 :]:
                if sentence[b] - sentence[a] > config["max_sentences"]:
                    break
                if groups[a] != groups[b]:
                    pairs += [(a, b), (b, a)]
        if not pairs:
            return [], None, {}, None
        head, tail = torch.tensor(pairs).T
        apart = (torch.tensor(sentence)[head] - torch.tensor(sentence)[tail]).abs()
        low, high = torch.minimum(span[head, 1], span[tail, 1]), torch.maximum(span[head, 0], span[tail, 0])
        high = torch.where((apart == 0) & (low < high), high, low)
        distance = span[head, 0] - span[tail, 0]
        half = len(self.w["tasks.relation.distance"]) // 2
        bucket = torch.tensor([int(d).bit_length() for d in distance.abs()]).clamp(max=half - 1)
        bucket = torch.where(distance < 0, bucket, bucket + half)
        x = (
            self.linear(mean(low, high)[:, :width], "relation.context")
            + self.linear(m, "relation.head")[head]
            + self.linear(m, "relation.tail")[tail]
            + self.linear(m[head] * m[tail], "relation.product")
            + self.w["tasks.relation.distance"][bucket]
            + self.w["tasks.relation.sentences"][apart.clamp(max=5)]
        )
        if words.shape[1]:
            as_head, as_tail = words.chunk(2, 1)
            x = x + F.linear(as_head[head] * as_tail[tail], self.w["tasks.relation.match.product"])
        logits = (
            self.linear(x.relu(), "relation.output") + self.w["tasks.relation.type_bias"][types[head], types[tail]]
        )
        entities, group = {}, []
        for a, b in pairs:
            group.append(entities.setdefault((groups[a], groups[b]), len(entities)))
        return pairs, torch.tensor(group), entities, logits.clamp(-30, 30)

    @staticmethod
    def name_groups(mentions, keys):
        by_name, by_last, groups = {}, {}, [0] * len(mentions)
        for following, m in enumerate(sorted(range(len(mentions)), key=lambda i: mentions[i][:2])):
            first, last, label, _ = mentions[m]
            name = tuple(keys[first:last])
            alias = by_last.get((name[-1], label)) if len(name) == 1 else None
            group = by_name.setdefault((name, label), following if alias is None else alias)
            if len(name) > 1:
                by_last[name[-1], label] = group
            groups[m] = group
        return groups

    def coref(self, inputs, encoded, sentences, words, ner):
        """Clusters, and the mentions that are in none."""
        config = self.config["tasks"]["coref"]
        kept, spans, mention, other, scores = self.antecedents(inputs, encoded, sentences, words)
        if not kept:
            return [], []
        odds = scores.clamp(-60, 60).double().exp().tolist()
        names = self.names_among(ner, config.get("other_names"))
        keys = [word.lower() for word in words]
        clusters = self.cluster(kept, other.tolist(), odds, config["none_score"], names, keys)
        linked = {span for cluster in clusters for span in cluster}
        score = dict(zip(((a, b) for a, b, _ in spans), mention.tolist()))
        alone = [(a, b) for a, b, _ in kept if score[a, b] > config["singleton_score"] and (a, b) not in linked]
        return clusters, [[span] for span in alone]

    def antecedents(self, inputs, encoded, sentences, words):
        """Kept spans; all spans and their mention scores; antecedents of the kept ones and their scores."""
        config, w = self.config["tasks"]["coref"], lambda name: self.w["tasks.coref." + name]
        spans = [
            (a, b, s)
            for s, (begin, end) in enumerate(sentences)
            for a in range(begin, end)
            for b in range(a + 1, min(end, a + config["max_span_width"]) + 1)
        ]
        if not spans:
            return [], [], None, None, None
        first, last, _ = torch.tensor(spans).T
        weight = F.linear(inputs, w("span.attention")).clamp(-15, 15).double().exp()
        content = F.linear(inputs, w("span.content")) * weight
        sums = F.pad(torch.cat([content, weight], 1).cumsum(0), (0, 0, 1, 0))
        between = sums[last] - sums[first]
        genre = F.linear(F.linear(encoded, w("genre.down")).mean(0).tanh(), w("genre.up"))
        g = (
            (between[:, :-1] / between[:, -1:]).float()
            + F.linear(encoded, w("span.first"))[first]
            + F.linear(encoded, w("span.last"))[last - 1]
            + w("span.width")[last - first - 1]
            + genre
        )

        def scorer(x, name):
            return self.linear(self.linear(x.relu(), f"coref.{name}.hidden").relu(), f"coref.{name}.output").squeeze(
                -1
            )

        mention = scores = scorer(g, "mention")
        least = max(1, min(config.get("min_spans", 0), len(encoded) * 2 // 5))
        count = min(max(least, int(config["spans_per_word"] * len(encoded))), len(spans))
        kept = scores.topk(count).indices.sort().values
        g, scores = g[kept], scores[kept]
        kept = [spans[k] for k in kept.tolist()]
        keys = [word.lower() for word in words]
        names = {}
        name = torch.tensor([names.setdefault(tuple(keys[a:b]), len(names)) for a, b, _ in kept])
        lasts = {}
        end = torch.tensor([lasts.setdefault(keys[b - 1], len(lasts)) for _, b, _ in kept])
        coarse = (
            g @ w("coarse.weight") @ g.T
            + scores.unsqueeze(1)
            + scores
            + (name.unsqueeze(1) == name) * w("coarse.match")[0]
            + (end.unsqueeze(1) == end) * w("coarse.match")[1]
        )
        if config.get("coarse_distance"):
            begin = torch.tensor([a for a, _, _ in kept])
            apart = torch.bucketize(begin.unsqueeze(1) - begin, 2 ** torch.arange(11), right=True)
            coarse = coarse + F.linear(g, w("coarse.distance")).gather(1, apart)
        n = len(kept)
        coarse = coarse.masked_fill(torch.ones(n, n, dtype=torch.bool).triu(), -1e9)
        top, other = coarse.topk(min(n, config["max_antecedents"]))
        features = [[], [], []]
        capital = [word[:1].isupper() for word in words]
        is_name = [capital[a] and capital[b - 1] for a, b, _ in kept]
        for i, row in enumerate(other.tolist()):
            a, b, s = kept[i]
            for j in (min(j, i) for j in row):
                c, d, t = kept[j]
                features[0].append(min((a - c).bit_length(), 11))
                features[1].append(min(s - t, 7))
                features[2].append(self.matches(keys[a:b], keys[c:d]) + 16 * (is_name[i] and is_name[j]))
        x = F.linear(g.unsqueeze(1) * g[other], w("fine.product")) + F.linear(
            g, w("fine.left"), w("fine.bias")
        ).unsqueeze(1)
        x = x + F.linear(g, w("fine.right"))[other]
        for table, ids in zip(("distance", "sentences", "match"), features):
            x = x + w("fine." + table)[torch.tensor(ids)].view_as(x)
        return kept, spans, mention, other, top + scorer(x, "fine")

    @staticmethod
    def matches(a, b):
        long, short = (a, b) if len(a) >= len(b) else (b, a)
        inside = any(long[k : k + len(short)] == short for k in range(len(long) - len(short) + 1))
        return (a == b) | (a[-1] == b[-1]) << 1 | (a[0] == b[0]) << 2 | inside << 3

    @staticmethod
    def cluster(kept, antecedents, odds, none, names, keys):
        def share_a_word(a, b):
            first = len(a) > 1 and len(b) > 1
            return any(x == y and not (first and i == j == 0) for i, x in enumerate(a) for j, y in enumerate(b))

        def may_be_called(cluster, name):
            others = called[cluster]
            return all(len(o) == 1 for o in others) or any(share_a_word(name, o) for o in others)

        of, called = [], defaultdict(list)
        for i, (row, scores) in enumerate(zip(antecedents, odds)):
            total = defaultdict(float)
            for j, score in zip(row, scores):
                if j < i:
                    total[of[j]] += score
            for j in range(i - 1, -1, -1):
                if kept[j][0] != kept[i][0]:
                    break
                total.pop(of[j], None)
            a, b, _ = kept[i]
            name = next((tuple(keys[k:b]) for k in (a, a + 1) if (k, b) in names), ())
            if len(name) > 1:
                total = {c: t for c, t in total.items() if may_be_called(c, name)}
            best = max(total.items(), key=lambda t: (t[1], t[0]), default=(i, 0.0))
            of.append(best[0] if best[1] > math.exp(none) else i)
            if name:
                called[of[i]].append(name)
        groups = defaultdict(list)
        for (a, b, _), c in zip(kept, of):
            groups[c].append((a, b))
        return sorted(sorted(g) for g in groups.values() if len(g) > 1)

    # All

    @torch.inference_mode()
    def annotate(self, docs):
        """Annotates documents, lists of sentences, which are lists of words."""
        where = [(d, s) for d, doc in enumerate(docs) for s in range(len(doc))]
        where.sort(key=lambda x: len(docs[x[0]][x[1]]))
        parts, start = [[None] * len(doc) for doc in docs], 0
        while start < len(where):
            end = start + 1
            while (
                end < len(where)
                and end - start < MAX_SEQUENCES
                and len(docs[where[end][0]][where[end][1]]) * (end - start + 1) <= MAX_PADDED_TOKENS
            ):
                end += 1
            batch = where[start:end]
            inputs, out, lengths = self.encode([docs[d][s] for d, s in batch])
            ner, emd = self.ner(out["low"], lengths), self.emd(out["mid"], lengths)
            rel = self.relation_rows(inputs["rel"], out["rel"])
            for k, (d, s) in enumerate(batch):
                n = lengths[k]
                parts[d][s] = (ner[k], emd[k], rel[k, :n], inputs["top"][k, :n], out["top"][k, :n])
            start = end
        return [self.document(doc, part) for doc, part in zip(docs, parts)]

    def document(self, doc, parts):
        words = [word for sentence in doc for word in sentence]
        if not words:
            return {"ner": [], "emd": [], "relation": [], "coref": []}
        sentences, at = [], 0
        for sentence in doc:
            sentences.append((at, at + len(sentence)))
            at += len(sentence)

        def spans(k):
            return [
                (a + begin, b + begin, label, score)
                for (begin, _), part in zip(sentences, parts)
                for a, b, label, score in part[k]
            ]

        def rows(k):
            return torch.cat([part[k] for part in parts])

        ner = self.agree_on_names("ner", spans(0), words)
        sentence_of = [s for s, (begin, end) in enumerate(sentences) for _ in range(begin, end)]
        keys = [word.lower() for word in words]
        clusters, alone = self.coref(rows(3), rows(4), sentences, words, ner)
        if (names := self.config["tasks"]["coref"].get("same_names")) is not None:
            label_of = self.names_among(ner, names)
            both = self.join_same_names(clusters + alone, label_of, words)
            clusters, alone = [c for c in both if len(c) > 1], [c for c in both if len(c) == 1]
        joined = clusters + alone if self.config["tasks"]["relation"].get("entities") else []
        emd = self.agree_in_clusters("emd", spans(1), clusters)
        return {
            "ner": ner,
            "emd": [(a, b, label, self.calibrated("emd", score)) for a, b, label, score in emd],
            "relation": self.relation(rows(2), ner, sentence_of, keys, joined),
            "coref": clusters,
        }

    # Training

    def loss(self, task, doc):
        """The loss of a document with annotations of all tasks."""
        sentences = [s for s in sentences_of(doc) if s]
        starts, at = [], 0
        for sentence in sentences:
            starts.append((at, at + len(sentence)))
            at += len(sentence)
        inputs, out, lengths = self.encode(sentences)
        if task == "coref":
            rows = [torch.cat([x[k, :n] for k, n in enumerate(lengths)]) for x in (inputs["top"], out["top"])]
            clusters = [
                [(doc["mentions"][m]["first_token"], doc["mentions"][m]["last_token"]) for m in c["mentions"]]
                for c in doc["clusters"]
            ]
            return self.coref_loss(*self.antecedents(*rows, starts, [w for s in sentences for w in s]), clusters)
        if task == "relation":
            rel = self.relation_rows(inputs["rel"], out["rel"])
            rows = torch.cat([rel[k, :n] for k, n in enumerate(lengths)])
            return self.relation_loss(rows, doc, [k for k, n in enumerate(lengths) for _ in range(n)])
        gold = [[] for _ in sentences]
        for m in doc["mentions"]:
            if task in m["labels"]:
                k = next(k for k, (begin, end) in enumerate(starts) if begin <= m["first_token"] < end)
                begin, label = starts[k][0], self.labels[task].index(m["labels"][task]["label"])
                gold[k].append((m["first_token"] - begin, m["last_token"] - begin, label))
        return self.ner_loss(out["low"], lengths, gold) if task == "ner" else self.emd_loss(out["mid"], lengths, gold)

    def ner_loss(self, x, lengths, gold):
        emissions = self.linear(x, "ner.projection")
        start, end, moved = (self.w["tasks.ner." + n] for n in ("start", "end", "transitions"))
        length = emissions.shape[1]
        mask = torch.arange(length) < lengths.unsqueeze(1)
        tags = torch.zeros(len(gold), length, dtype=torch.long)
        index = {tag: i for i, tag in enumerate(self.tags)}
        for row, spans in zip(tags, gold):
            for a, b, label in spans:
                row[a:b] = index["I", label]
                row[a], row[b - 1] = index["B", label], index["L", label]
                if b == a + 1:
                    row[a] = index["U", label]
        alpha = start + emissions[:, 0]
        for t in range(1, length):
            step = (alpha.unsqueeze(2) + moved).logsumexp(1) + emissions[:, t]
            alpha = torch.where(mask[:, t].unsqueeze(1), step, alpha)
        total = (alpha + end).logsumexp(1).sum()
        score = (emissions.gather(2, tags.unsqueeze(2)).squeeze(2) * mask).sum()
        score = score + (moved[tags[:, :-1], tags[:, 1:]] * mask[:, 1:]).sum() + start[tags[:, 0]].sum()
        return total - score - end[tags.gather(1, (lengths - 1).unsqueeze(1))].sum()

    def emd_loss(self, x, lengths, gold):
        scores, wanted = self.emd_scores(x, lengths)
        target = torch.zeros(scores.shape[:3], dtype=torch.long)
        for row, spans in zip(target, gold):
            for a, b, label in spans:
                row[a, b - 1] = label + 1
        return F.cross_entropy(scores[wanted], target[wanted], reduction="sum") / len(gold)

    def relation_loss(self, rows, doc, sentence_of):
        mentions, groups, place = [], [], {}
        for at, m in enumerate(doc["mentions"]):
            if "ner" in m["labels"]:
                place[at] = len(mentions)
                label = self.labels["ner"].index(m["labels"]["ner"]["label"])
                mentions.append((m["first_token"], m["last_token"], label, None))
                # An entity is a cluster, or a mention alone.
                groups.append(("cluster", m["cluster"]) if m.get("cluster") is not None else ("mention", at))
        _, group, entities, logits = self.pair_logits(rows, mentions, groups, sentence_of)
        odds = torch.zeros(len(entities), logits.shape[1]).index_add(0, group, logits.exp())
        target, keys = torch.zeros_like(odds), list(entities)
        for r in doc["relations"]:
            pair = entities.get((groups[place[r["head"]]], groups[place[r["tail"]]]))
            if pair is not None:
                label = self.labels["relation"].index(r["label"])
                target[pair, label] = 1
                if r["label"] in self.config["tasks"]["relation"].get("symmetric", []):
                    target[entities[keys[pair][::-1]], label] = 1
        return F.binary_cross_entropy_with_logits(odds.log(), target, reduction="sum") / len(entities)

    @staticmethod
    def coref_loss(kept, spans, mention, other, scores, clusters):
        of = {span: c for c, group in enumerate(clusters) for span in group}
        own = torch.tensor([of.get(k[:2], -1) for k in kept])
        rows = torch.arange(len(kept)).unsqueeze(1)
        right = (own[other] == own.unsqueeze(1)) & (own.unsqueeze(1) >= 0) & (other < rows)
        right = torch.cat([~right.any(1, keepdim=True), right], 1)
        scores = torch.cat([torch.zeros(len(kept), 1), scores], 1)
        loss = (scores.logsumexp(1) - scores.masked_fill(~right, -1e9).logsumexp(1)).sum()
        target = torch.tensor([float(span[:2] in of) for span in spans])
        return (loss + F.binary_cross_entropy_with_logits(mention, target, reduction="sum")) / max(len(of), 1)


def sentences_of(doc):
    """The words of a document of the library, by sentence."""
    text = doc["text"].encode()
    words = [text[t["start"] : t["end"]].decode() for t in doc["tokens"]]
    return [words[s["first_token"] : s["last_token"]] for s in doc["sentences"]]


def difference(model, doc, found):
    """The largest difference of two scores; an error where decisions differ."""
    most, mentions = 0.0, doc["mentions"]
    place = [(m["first_token"], m["last_token"]) for m in mentions]
    expected = {}
    for task in ("ner", "emd"):
        expected.update(
            {
                (task, p, m["labels"][task]["label"]): m["labels"][task]["score"]
                for p, m in zip(place, mentions)
                if task in m["labels"]
            }
        )
    expected.update(
        {("relation", place[r["head"]], place[r["tail"]], r["label"]): r["score"] for r in doc["relations"]}
    )
    expected.update({("coref", tuple(sorted(place[m] for m in c["mentions"]))): 0.0 for c in doc["clusters"]})
    got = {(task, (a, b), model.labels[task][x]): score for task in ("ner", "emd") for a, b, x, score in found[task]}
    got.update({("relation", a, b, model.labels["relation"][x]): score for a, b, x, score in found["relation"]})
    got.update({("coref", tuple(c)): 0.0 for c in found["coref"]})
    if set(expected) != set(got):
        raise SystemExit(f"the library and the peer differ: {sorted(map(str, set(expected) ^ set(got)))[:5]}")
    return max([most] + [abs(expected[k] - got[k]) for k in expected])
