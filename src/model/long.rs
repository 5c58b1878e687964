//! Documents whose passages the workers share, in parts: long ones always, and between two parts of a worker
//! others have their turn; shorter ones where workers have nothing else to do and a passage is read the
//! same to the last digit in whatever part it is.

use super::annotate::{Found, check};
use super::serve::{in_unit, only};
use super::shared::Shared;
use super::{AnnotateOptions, Model, Network};
use crate::feature::Example;
use crate::{Cancel, Document, Result, engine, stream};

/// Tokens of a part of a long document: many passages of about one length.
const PART_TOKENS: usize = 2048;
/// A device has more to fill.
const DEVICE_PART_TOKENS: usize = 16_384;
/// And the fewest that are worth a part: fewer say most words once, and each is multiplied in each part.
const LEAST_TOKENS: usize = 300;

/// What heads found in a part of a document, and what those still want that read all of it.
pub(super) struct Part(Found);

/// Where a document is read, as far as it matters for sharing it.
#[derive(Clone, Copy)]
enum Place {
    /// A passage is read the same to the last digit in whatever part it is.
    Exact,
    /// Last digits depend on the part: they must not tell who was idle.
    Cpu,
    Device,
}

/// About how many tokens the parts have in which `workers` that are idle, the one for the document among
/// them, share a document of `tokens`; none if it is not worth it.
fn part_tokens(tokens: usize, workers: usize, place: Place) -> Option<usize> {
    let long = match place {
        Place::Device => DEVICE_PART_TOKENS,
        Place::Exact | Place::Cpu => PART_TOKENS,
    };
    if tokens >= 2 * long {
        return Some(long);
    }
    let parts = match place {
        Place::Exact => workers.min(tokens / LEAST_TOKENS),
        Place::Cpu | Place::Device => 1,
    };
    (parts > 1).then(|| tokens.div_ceil(parts))
}

impl Model {
    /// Annotates a document whose parts the workers share, if it is worth it.
    pub(super) fn annotate_in_parts(
        &self,
        shared: &Shared,
        doc: &Document,
        options: &AnnotateOptions,
        cancel: &Cancel,
    ) -> Result<Option<Document>> {
        let network = shared.0.network();
        let place = match (network.device().is_cuda(), shared.0.gathers()) {
            (true, _) => Place::Device,
            (false, true) => Place::Exact,
            (false, false) => Place::Cpu,
        };
        let Some(size) = part_tokens(doc.tokens.len(), engine::idle()?, place) else {
            return Ok(None);
        };
        let mut waiting = network.parts(doc, size)?.into_iter();
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
            let network = shared.0.network();
            let docs = match network.annotate_whole(doc, parts, options, cancel) {
                // The parts are gone with what was made of them: all again, in the end with none beside it.
                Err(error) if error.is_out_of_memory() => network.annotate(&[doc], options, cancel),
                done => done.map(|doc| vec![doc]),
            }?;
            Ok(in_unit(docs, options.offsets))
        })?;
        only(docs).map(Some)
    }
}

impl Network {
    /// The passages of a document in parts of about `size` tokens.
    fn parts<'a>(&self, doc: &'a Document, size: usize) -> Result<Vec<Vec<Example<'a>>>> {
        check(doc)?;
        let (mut parts, mut tokens) = (vec![Vec::new()], 0);
        let mut passages = self.passages(&Example::whole(doc), false);
        // Those of a length together, as where a document is read whole.
        passages.sort_by_key(|passage| passage.tokens().len());
        for passage in passages {
            if tokens >= size {
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
        let by_passage = self.needed_by_passage(options)?;
        let run = || {
            let mut found = [Found::default()];
            let passages = part.iter().map(|passage| (0, passage.clone())).collect();
            self.run_passages(passages, &by_passage, &mut found, cancel)?;
            let [found] = found;
            Ok(Part(found))
        };
        stream::own(self.device, || self.turns.take(run))
    }

    /// Runs the heads that read documents on all parts of one: on a device not in a stream of this worker, since
    /// others made the parts.
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
        let found_here = std::slice::from_mut(&mut found);
        self.turns.beside(|| self.run_documents(&[doc], options, found_here, cancel))?;
        Ok(self.assemble(doc, found, &wanted, options))
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, part_tokens};

    #[test]
    fn short_documents_are_shared_by_idle_workers_where_nobody_can_tell() {
        let shared = |tokens, workers| part_tokens(tokens, workers, Place::Exact);
        assert_eq!(shared(1000, 1), None);
        assert_eq!(shared(1000, 2), Some(500));
        assert_eq!(shared(1000, 8), Some(334));
        assert_eq!(shared(500, 8), None);
        assert_eq!(shared(0, 0), None);
        for workers in 0..9 {
            assert_eq!(part_tokens(1000, workers, Place::Cpu), None);
            assert_eq!(part_tokens(5000, workers, Place::Cpu), Some(2048));
            assert_eq!(part_tokens(5000, workers, Place::Exact), Some(2048));
            assert_eq!(part_tokens(5000, workers, Place::Device), None);
            assert_eq!(part_tokens(50_000, workers, Place::Device), Some(16_384));
        }
    }
}
