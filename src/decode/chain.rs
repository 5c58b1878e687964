//! [`Chain`]: the sums over all tag sequences of a linear-chain CRF, by the forward-backward algorithm (Rabiner
//! 1989) with every position's sums scaled to one, so that there is one exponential a tag and none a transition.

/// Start, end and transition scores, as exponents of their distance from the highest.
#[derive(Clone, Debug)]
pub struct Chain {
    tags: usize,
    start: Vec<f64>,
    end: Vec<f64>,
    /// By previous tag, then next.
    transitions: Vec<f64>,
    /// The highest of each.
    highest: [f64; 3],
}

/// Sums over the tag sequences of one sequence of tokens.
#[derive(Debug)]
pub struct Sums {
    tags: usize,
    /// (L, tags): over the beginnings that end in each tag, a share of one at each position, and the logarithm of
    /// what they are shares of.
    forward: (Vec<f64>, Vec<f64>),
    /// (L, tags): the same over the continuations after each tag.
    backward: (Vec<f64>, Vec<f64>),
    /// Exponents of the emissions' distance from the highest of their token, (L, tags).
    emitted: Vec<f64>,
    /// Log of the sum over all tag sequences.
    pub total: f64,
}

/// Expected counts of tags and of transitions, added up over sequences.
#[derive(Debug)]
pub struct Counts {
    pub start: Vec<f64>,
    pub end: Vec<f64>,
    pub transitions: Vec<f64>,
}

impl Counts {
    pub fn new(tags: usize) -> Self {
        Self { start: vec![0.0; tags], end: vec![0.0; tags], transitions: vec![0.0; tags * tags] }
    }

    /// Adds `weight` times the counts of one tag sequence, which is not empty: those of each token's tags to `tags`,
    /// (L, tags).
    pub fn follow(&mut self, path: &[usize], weight: f64, tags: &mut [f32]) {
        let n = self.start.len();
        for (row, &tag) in tags.chunks_mut(n).zip(path) {
            row[tag] += weight as f32;
        }
        path.windows(2).for_each(|w| self.transitions[w[0] * n + w[1]] += weight);
        if let (Some(&first), Some(&last)) = (path.first(), path.last()) {
            self.start[first] += weight;
            self.end[last] += weight;
        }
    }
}

/// `e^(x - max)` of each, and the maximum; minus infinity is zero.
fn exponents(scores: &[f32]) -> (Vec<f64>, f64) {
    let most = scores.iter().fold(f32::NEG_INFINITY, |m, &x| m.max(x));
    let most = if most.is_finite() { f64::from(most) } else { 0.0 };
    (scores.iter().map(|&x| (f64::from(x) - most).exp()).collect(), most)
}

/// Divides by the sum, and returns it.
fn share(row: &mut [f64]) -> f64 {
    let sum: f64 = row.iter().sum();
    if sum > 0.0 {
        row.iter_mut().for_each(|x| *x /= sum);
    }
    sum
}

impl Chain {
    /// Scores of as many tags as `start` has; minus infinity forbids.
    pub fn new(start: &[f32], end: &[f32], transitions: &[f32]) -> Self {
        let (start, of_start) = exponents(start);
        let (end, of_end) = exponents(end);
        let (transitions, of_transitions) = exponents(transitions);
        let highest = [of_start, of_end, of_transitions];
        Self { tags: start.len(), start, end, transitions, highest }
    }

    /// `emissions` are (L, tags), row by row, L at least 1.
    pub fn sums(&self, emissions: &[f32]) -> Sums {
        let n = self.tags;
        let length = emissions.len() / n;
        let mut emitted = Vec::with_capacity(emissions.len());
        let mut highest = Vec::with_capacity(length);
        for row in emissions.chunks(n) {
            let (row, most) = exponents(row);
            emitted.extend(row);
            highest.push(most);
        }
        let [of_start, of_end, of_transitions] = self.highest;

        let mut forward: Vec<f64> = self.start.iter().zip(&emitted).map(|(s, e)| s * e).collect();
        let mut logs = vec![share(&mut forward).ln() + of_start + highest[0]];
        let mut next = vec![0.0; n];
        for at in 1..length {
            next.fill(0.0);
            for (previous, row) in forward[(at - 1) * n..].iter().zip(self.transitions.chunks(n)) {
                next.iter_mut().zip(row).for_each(|(next, step)| *next += previous * step);
            }
            next.iter_mut().zip(&emitted[at * n..]).for_each(|(next, e)| *next *= e);
            logs.push(share(&mut next).ln() + logs[at - 1] + of_transitions + highest[at]);
            forward.extend_from_slice(&next);
        }
        let last = forward[(length - 1) * n..].iter().zip(&self.end).map(|(f, e)| f * e);
        let total = last.sum::<f64>().ln() + logs[length - 1] + of_end;

        let mut backward = vec![0.0; length * n];
        let mut back_logs = vec![0.0; length];
        let ends = &mut backward[(length - 1) * n..];
        ends.copy_from_slice(&self.end);
        back_logs[length - 1] = share(ends).ln() + of_end;
        for at in (1..length).rev() {
            let (before, after) = backward.split_at_mut(at * n);
            next.copy_from_slice(&after[..n]);
            next.iter_mut().zip(&emitted[at * n..]).for_each(|(next, e)| *next *= e);
            let before = &mut before[(at - 1) * n..];
            for (before, row) in before.iter_mut().zip(self.transitions.chunks(n)) {
                *before = row.iter().zip(&next).map(|(step, next)| step * next).sum();
            }
            back_logs[at - 1] = share(before).ln() + back_logs[at] + of_transitions + highest[at];
        }
        Sums { tags: n, forward: (forward, logs), backward: (backward, back_logs), emitted, total }
    }

    /// Adds `weight` times the expected counts under the model: of the tags of each token to `tags`, (L, tags), and
    /// of the rest to `counts`. They are the gradients of `sums.total`.
    pub fn expect(&self, sums: &Sums, weight: f64, tags: &mut [f32], counts: &mut Counts) {
        let n = self.tags;
        let length = tags.len() / n;
        let mut row = vec![0.0; n];
        for (at, tags) in tags.chunks_mut(n).enumerate() {
            let (forward, backward) = (&sums.forward.0[at * n..][..n], &sums.backward.0[at * n..]);
            row.iter_mut().zip(forward.iter().zip(backward)).for_each(|(r, (f, b))| *r = f * b);
            share(&mut row);
            tags.iter_mut().zip(&row).for_each(|(tag, r)| *tag += (weight * r) as f32);
            let add = |to: &mut [f64]| to.iter_mut().zip(&row).for_each(|(x, r)| *x += weight * r);
            if at == 0 {
                add(&mut counts.start);
            }
            if at + 1 == length {
                add(&mut counts.end);
            }
        }
        for at in 1..length {
            // What follows a transition into each tag; then all pairs, as shares of one.
            let emitted = &sums.emitted[at * n..][..n];
            let after = emitted.iter().zip(&sums.backward.0[at * n..]);
            row.iter_mut().zip(after).for_each(|(r, (e, b))| *r = e * b);
            let before = &sums.forward.0[(at - 1) * n..][..n];
            let pairs = |row: &[f64]| -> f64 {
                let of = |(f, steps): (&f64, &[f64])| {
                    f * steps.iter().zip(row).map(|(s, r)| s * r).sum::<f64>()
                };
                before.iter().zip(self.transitions.chunks(n)).map(of).sum()
            };
            let all = pairs(&row);
            if all <= 0.0 {
                continue;
            }
            let rows = counts.transitions.chunks_mut(n).zip(self.transitions.chunks(n));
            for (f, (counts, steps)) in before.iter().zip(rows) {
                let share = weight * f / all;
                let terms = counts.iter_mut().zip(steps.iter().zip(&row));
                terms.for_each(|(count, (s, r))| *count += share * s * r);
            }
        }
    }
}

impl Sums {
    /// Log of the sum over the beginnings that end with `tag` at token `at`.
    pub fn forward(&self, at: usize, tag: usize) -> f64 {
        self.forward.0[at * self.tags + tag].ln() + self.forward.1[at]
    }

    /// Log of the sum over the continuations after `tag` at token `at`.
    pub fn backward(&self, at: usize, tag: usize) -> f64 {
        self.backward.0[at * self.tags + tag].ln() + self.backward.1[at]
    }
}
