//! Long documents: the workers share their passages, in parts that do not depend on how many workers there are.
//! Between two parts of a worker, others have their turn.

use super::annotate::{Found, check};
use super::shared::{Shared, in_unit, only};
use super::{AnnotateOptions, Model, Network};
use crate::feature::Example;
use crate::{Cancel, Document, Result, engine};

/// Tokens of a part: many passages of about one length.
const PART_TOKENS: usize = 2048;

/// What heads found in a part of a document, and what those still want that read all of it.
pub(super) struct Part(Found);

/// Whether a document is worth being shared.
pub(super) fn is_long(doc: &Document) -> bool {
    doc.tokens.len() >= 2 * PART_TOKENS
}

impl Model {
    /// Annotates a document whose parts the workers share.
    pub(super) fn annotate_long(
        &self,
        shared: &Shared,
        doc: &Document,
        options: &AnnotateOptions,
        cancel: &Cancel,
    ) -> Result<Document> {
        let mut waiting = shared.0.network().parts(doc)?.into_iter();
        let mut parts = Vec::new();
        loop {
            // No more at a time than there are workers: what else waits comes between.
            let some: Vec<_> = waiting.by_ref().take(engine::workers()?).collect();
            if some.is_empty() {
                break;
            }
            let job = |part| {
                // Captured whole: a part of it would not be `Sync`.
                let shared: &Shared = shared;
                move || shared.0.network().annotate_part(part, options, cancel)
            };
            parts.extend(engine::run_all(some.into_iter().map(job).collect())?);
        }
        let docs = engine::run(move || {
            // Captured whole: a part of it would not be `Sync`.
            let shared: &Shared = shared;
            let doc = shared.0.network().annotate_whole(doc, parts, options, cancel)?;
            Ok(in_unit(vec![doc], options.offsets))
        })?;
        only(docs)
    }
}

impl Network {
    /// The passages of a document in parts.
    pub(super) fn parts<'a>(&self, doc: &'a Document) -> Result<Vec<Vec<Example<'a>>>> {
        check(doc)?;
        let (mut parts, mut tokens) = (vec![Vec::new()], 0);
        let mut passages = self.passages(&Example::whole(doc), false);
        // Those of a length together, as where a document is read whole.
        passages.sort_by_key(|passage| passage.tokens().len());
        for passage in passages {
            if tokens >= PART_TOKENS {
                parts.push(Vec::new());
                tokens = 0;
            }
            tokens += passage.tokens().len();
            if let Some(part) = parts.last_mut() {
                part.push(passage);
            }
        }
        Ok(parts)
    }

    /// Runs the encoders and the heads that read sentences on a part.
    pub(super) fn annotate_part(
        &self,
        part: Vec<Example>,
        options: &AnnotateOptions,
        cancel: &Cancel,
    ) -> Result<Part> {
        let _guard = tch::no_grad_guard();
        let needed = self.needed(&self.wanted(options)?);
        let by_passage: Vec<&str> =
            needed.into_iter().filter(|t| !self.reads_whole_documents(t)).collect();
        let mut found = [Found::default()];
        let passages = part.into_iter().map(|passage| (0, passage)).collect();
        self.run_passages(passages, &by_passage, &mut found, cancel)?;
        let [found] = found;
        Ok(Part(found))
    }

    /// Runs the heads that read documents on all parts of one.
    pub(super) fn annotate_whole(
        &self,
        doc: &Document,
        parts: Vec<Part>,
        options: &AnnotateOptions,
        cancel: &Cancel,
    ) -> Result<Document> {
        let _guard = tch::no_grad_guard();
        let wanted = self.wanted(options)?;
        let mut found = Found::default();
        parts.into_iter().for_each(|part| found.extend(part.0));
        self.run_documents(&[doc], &wanted, std::slice::from_mut(&mut found), cancel)?;
        Ok(self.assemble(doc, found, &wanted, options))
    }
}
