//! How the workers serve callers: many texts in pieces, one long document in parts ([`super::long`]), little text
//! of several callers together.

use std::cmp::Reverse;
use std::sync::Arc;

use super::shared::Shared;
use super::{AnnotateOptions, Model};
use crate::engine::Service;
use crate::text::{to_unit, tokenize};
use crate::{Cancel, Document, Error, OffsetUnit, Result, engine};

/// Pieces have no fewer tokens unless workers would have none, and each worker so many at most: where every operation of
/// LibTorch has its price, and on plain slices, where small pieces cost no more and no worker waits long for the last.
const PIECES: Sharing = Sharing { tokens: 600, per_worker: 4, largest: usize::MAX, all_work: true };
const FAST_PIECES: Sharing =
    Sharing { tokens: 200, per_worker: 16, largest: usize::MAX, all_work: true };
/// On a GPU each piece costs about as many kernels, one after the other whoever starts them, as it takes a worker to
/// read and write so many tokens. The largest is one batch there, while others are read and written.
const GPU_PIECES: Sharing =
    Sharing { tokens: 3000, per_worker: 1, largest: 20_480, all_work: false };
/// Of prose, about, a space among them.
const BYTES_PER_TOKEN: usize = 5;
/// Callers with at most so many tokens are served together, up to so many.
const FEW_TOKENS: usize = 300;
const TOKENS_TOGETHER: usize = 1200;
/// And on a GPU, which takes the same time for little text and for more. There two workers serve: one is at the text
/// while the other is on the GPU, where more would stand in each other's way.
const GPU_TOKENS_TOGETHER: usize = 8192;
const GPU_SERVERS: usize = 2;

/// How workers share many texts.
struct Sharing {
    tokens: usize,
    per_worker: usize,
    /// About how many tokens a piece has at most; there are then more for each worker.
    largest: usize,
    /// Whether each worker has a piece however small.
    all_work: bool,
}

impl Sharing {
    fn of(shared: &Shared) -> Self {
        let network = shared.0.network();
        match network.device().is_cuda() {
            true => GPU_PIECES,
            false if network.is_fast => FAST_PIECES,
            false => PIECES,
        }
    }

    /// Into how many pieces the workers share `tokens`: some for each, since equal numbers of tokens are not equal work,
    /// and as many for one as for another.
    fn pieces(&self, tokens: usize, workers: usize) -> usize {
        match workers {
            0 | 1 => 1,
            _ if !self.all_work => {
                let least = tokens.div_ceil(self.largest.saturating_mul(workers));
                (tokens / self.tokens).clamp(1, self.per_worker.max(least) * workers)
            }
            _ => (tokens / self.tokens / workers).clamp(1, self.per_worker) * workers,
        }
    }
}

/// What one caller wants.
#[derive(Debug)]
pub(super) struct Request {
    docs: Vec<Document>,
    options: AnnotateOptions,
    cancel: Cancel,
}

impl Model {
    /// Annotates a text.
    pub fn annotate(&self, text: &str, options: &AnnotateOptions) -> Result<Document> {
        only(self.annotate_batch(&[text], options, &Cancel::new())?)
    }

    /// Annotates texts; the result of each does not depend on the others.
    pub fn annotate_batch<S: AsRef<str> + Sync>(
        &self,
        texts: &[S],
        options: &AnnotateOptions,
        cancel: &Cancel,
    ) -> Result<Vec<Document>> {
        self.annotate_texts(texts, options, cancel, Ok)
    }

    /// The same, and what `finish` makes of each. Workers do all of it, from the text on: what is left to the caller
    /// alone would be the whole cost on a GPU.
    pub(crate) fn annotate_texts<S: AsRef<str> + Sync, T: Send>(
        &self,
        texts: &[S],
        options: &AnnotateOptions,
        cancel: &Cancel,
        finish: impl Fn(Document) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let tokenized = |texts: &[&S]| -> Result<Vec<Document>> {
            let one = |text: &&S| cancel.check().map(|()| tokenize(text.as_ref()));
            texts.iter().map(one).collect()
        };
        // An empty text still is some work.
        let size = |text: &S| text.as_ref().len() / BYTES_PER_TOKEN + 1;
        if texts.len() == 1 || texts.iter().map(size).sum::<usize>() <= FEW_TOKENS {
            let all: Vec<&S> = texts.iter().collect();
            let docs = self.annotate_documents(&tokenized(&all)?, options, cancel)?;
            return docs.into_iter().map(finish).collect();
        }
        let (shared, options) = (self.shared()?, &self.checked(options)?);
        in_pieces(shared, texts, size, |texts| {
            let docs = annotated(shared, &tokenized(texts)?, options, cancel)?;
            docs.into_iter().map(&finish).collect()
        })
    }

    /// Annotates a text that comes in sentences of tokens. The text of the result has a space
    /// between tokens and a line for each sentence.
    pub fn annotate_tokens<S: AsRef<str>>(
        &self,
        sentences: &[Vec<S>],
        options: &AnnotateOptions,
    ) -> Result<Document> {
        if sentences.iter().flatten().any(|t| t.as_ref().is_empty()) {
            return Err(Error::invalid("a token is empty"));
        }
        let doc = Document::from_sentences(sentences);
        only(self.annotate_documents(&[doc], options, &Cancel::new())?)
    }

    /// Annotates documents as they are tokenized; annotations that they have are dropped. The
    /// workers share the documents.
    pub fn annotate_documents(
        &self,
        docs: &[Document],
        options: &AnnotateOptions,
        cancel: &Cancel,
    ) -> Result<Vec<Document>> {
        let (shared, options) = (self.shared()?, &self.checked(options)?);
        if docs.is_empty() {
            // Wrong options are wrong for no documents, too.
            shared.0.network().config().restrict(options.tasks.as_deref().unwrap_or_default())?;
            return Ok(Vec::new());
        }
        let tokens: usize = docs.iter().map(|doc| doc.tokens.len()).sum();
        if tokens <= FEW_TOKENS && shared.0.gathers() {
            return self.annotate_with_others(shared, docs, options, cancel);
        }
        if let [doc] = docs
            && let Some(doc) = self.annotate_in_parts(shared, doc, options, cancel)?
        {
            return Ok(vec![doc]);
        }
        let size = |doc: &Document| doc.tokens.len() + 1;
        in_pieces(shared, docs, size, |docs| annotated(shared, docs, options, cancel))
    }

    /// The options with the tasks that are meant.
    fn checked(&self, options: &AnnotateOptions) -> Result<AnnotateOptions> {
        if let Some(score) = options.min_score.filter(|s| !(0.0..=1.0).contains(s)) {
            return Err(Error::invalid(format!("min_score must be from 0 to 1, not {score}")));
        }
        let tasks = options.tasks.as_deref().unwrap_or(self.tasks()).to_vec();
        Ok(AnnotateOptions { tasks: Some(tasks), ..options.clone() })
    }

    /// Annotates little text together with what other callers want meanwhile.
    fn annotate_with_others(
        &self,
        shared: &Shared,
        docs: &[Document],
        options: &AnnotateOptions,
        cancel: &Cancel,
    ) -> Result<Vec<Document>> {
        let (together, workers) = match shared.0.network().device().is_cuda() {
            true => (GPU_TOKENS_TOGETHER, GPU_SERVERS),
            false => (TOKENS_TOGETHER, engine::workers()?),
        };
        let size = |request: &Request| request.docs.iter().map(|d| d.tokens.len()).sum::<usize>();
        let fits = move |before: &[Request], next: &Request| {
            before.iter().all(|request| request.options == next.options)
                && before.iter().map(size).sum::<usize>() + size(next) <= together
        };
        // Held while callers wait, who hold it, too: with their replies they may free the model.
        let weights = Arc::downgrade(&self.weights);
        let serve = move |requests: &[Request]| {
            let gone = || Error::Internal("the model was freed".into());
            let weights = weights.upgrade().ok_or_else(gone)?;
            let (cancel, none) = match requests {
                [only] => (&only.cancel, None),
                // None stops the work of the others; alone, each is asked whether it still wants its own.
                _ => (&Cancel::new(), requests.iter().find(|r| r.cancel.is_triggered())),
            };
            none.map_or(Ok(()), |request| request.cancel.check())?;
            let Some(Request { options, .. }) = requests.first() else { return Ok(Vec::new()) };
            let docs: Vec<&Document> = requests.iter().flat_map(|r| &r.docs).collect();
            let mut docs = annotated(weights.shared()?, &docs, options, cancel)?.into_iter();
            Ok(requests.iter().map(|r| docs.by_ref().take(r.docs.len()).collect()).collect())
        };
        let request =
            Request { docs: docs.to_vec(), options: options.clone(), cancel: cancel.clone() };
        self.small.run(request, Service { workers, fits, serve })
    }
}

/// What a worker makes of documents.
fn annotated<D: std::borrow::Borrow<Document>>(
    shared: &Shared,
    docs: &[D],
    options: &AnnotateOptions,
    cancel: &Cancel,
) -> Result<Vec<Document>> {
    cancel.check()?;
    Ok(in_unit(shared.0.network().annotate(docs, options, cancel)?, options.offsets))
}

pub(super) fn in_unit(docs: Vec<Document>, unit: OffsetUnit) -> Vec<Document> {
    match unit {
        OffsetUnit::Byte => docs,
        unit => docs.iter().map(|doc| to_unit(doc, unit)).collect(),
    }
}

pub(super) fn only(mut docs: Vec<Document>) -> Result<Document> {
    docs.pop().ok_or_else(|| Error::Internal("no document for a text".into()))
}

/// What `work` makes of items, in their order. The workers share them; where texts are filled up to the longest of
/// a batch, each has those of about one length.
fn in_pieces<I: Sync, T: Send>(
    shared: &Shared,
    items: &[I],
    size: impl Fn(&I) -> usize,
    work: impl Fn(&[&I]) -> Result<Vec<T>> + Sync,
) -> Result<Vec<T>> {
    let sizes: Vec<usize> = items.iter().map(size).collect();
    let count = Sharing::of(shared).pieces(sizes.iter().sum(), engine::workers()?);
    let pieces = chunks(&sizes, count, shared.0.pads());
    let job = |places: &Vec<usize>| {
        let items = places.iter().map(|&at| &items[at]).collect::<Vec<_>>();
        let work = &work;
        move || work(&items)
    };
    let done = engine::run_all(pieces.iter().map(job).collect())?;
    let places = pieces.into_iter().flatten();
    let mut placed: Vec<(usize, T)> = places.zip(done.into_iter().flatten()).collect();
    placed.sort_by_key(|(at, _)| *at);
    Ok(placed.into_iter().map(|(_, made)| made).collect())
}

/// The places of items of these sizes in at most `count` pieces of about one size, in their order or `by_size`, the
/// largest first.
fn chunks(sizes: &[usize], count: usize, by_size: bool) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    if by_size {
        order.sort_by_key(|&at| Reverse(sizes[at]));
    }
    let share = sizes.iter().sum::<usize>().div_ceil(count.max(1));
    let mut chunks = Vec::new();
    let (mut chunk, mut filled) = (Vec::new(), 0);
    for at in order {
        chunk.push(at);
        filled += sizes[at];
        if filled >= share {
            chunks.push(std::mem::take(&mut chunk));
            filled = 0;
        }
    }
    if !chunk.is_empty() {
        chunks.push(chunk);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_has_as_many_pieces_as_another_but_on_a_gpu() {
        let pieces = |sharing: Sharing, workers| {
            [100, 4_760, 100_000].map(|tokens| sharing.pieces(tokens, workers))
        };
        assert_eq!(pieces(PIECES, 1), [1, 1, 1]);
        assert_eq!(pieces(PIECES, 2), [2, 6, 8]);
        assert_eq!(pieces(PIECES, 8), [8, 8, 32]);
        assert_eq!(pieces(FAST_PIECES, 2), [2, 22, 32]);
        assert_eq!(pieces(FAST_PIECES, 8), [8, 16, 128]);
        assert_eq!(pieces(GPU_PIECES, 2), [1, 1, 6]);
        assert_eq!(pieces(GPU_PIECES, 8), [1, 1, 8]);
        assert_eq!(GPU_PIECES.pieces(300_000, 8), 16);
    }

    #[test]
    fn chunks_cover_all_in_order_or_by_size() {
        let sizes = [6, 1, 2, 10, 3, 3, 28, 2];
        let of_sizes =
            |chunks: &[Vec<usize>]| chunks.concat().iter().map(|&at| sizes[at]).collect::<Vec<_>>();
        for count in 1..12 {
            let [in_order, by_size] = [false, true].map(|by_size| chunks(&sizes, count, by_size));
            assert!(in_order.len() <= count && by_size.len() <= count);
            assert_eq!(in_order.concat(), (0..sizes.len()).collect::<Vec<_>>());
            assert_eq!(of_sizes(&by_size), [28, 10, 6, 3, 3, 2, 2, 1]);
        }
        assert_eq!(chunks(&sizes, 3, true), [vec![6], vec![3, 0, 4], vec![5, 2, 7, 1]]);
        assert!(chunks(&[], 3, true).is_empty());
    }
}
