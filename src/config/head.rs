//! Task heads: what hangs on the encoders, and what it reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::AgreementConfig;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum HeadConfig {
    /// Flat spans: BIOUL tags, linear-chain CRF.
    CrfTagger {
        /// Makes the scores that are reported say how often they are right.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calibration: Option<CalibrationConfig>,
        /// Which mentions of a document have one label.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agreement: Option<AgreementConfig>,
    },
    /// Nested spans: every span of a sentence is scored by a biaffine product of its ends.
    Biaffine {
        #[serde(default = "biaffine_hidden")]
        hidden: i64,
        /// Longest span in tokens; absent means the sentence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_width: Option<usize>,
        /// Added to the score of being no mention when annotating: above 0, fewer and surer mentions.
        #[serde(default, skip_serializing_if = "is_zero")]
        none_score: f64,
        /// Makes the scores that are reported say how often they are right.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calibration: Option<CalibrationConfig>,
        /// Which mentions of a document have one label.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agreement: Option<AgreementConfig>,
    },
    /// Relations between single tokens of a sentence, read as the last tokens of the mentions
    /// that the task `arguments` finds (multi-head selection).
    HeadSelection {
        arguments: String,
        hidden: i64,
        #[serde(default = "half")]
        threshold: f64,
        /// Counts padded pairs in the mean of the loss, as the 2018 code does.
        #[serde(default)]
        mean_over_padding: bool,
    },
    /// Relations between the mentions that the task `arguments` finds.
    MentionPairs {
        arguments: String,
        hidden: i64,
        /// Farthest apart, in sentences, that two mentions are compared.
        #[serde(default)]
        max_sentences: usize,
        #[serde(default = "half")]
        threshold: f64,
        /// Those of single labels, instead of `threshold`: labels learned from texts that were chosen
        /// because they state such facts are predicted too readily.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        thresholds: BTreeMap<String, f64>,
        /// A fact is dropped whose probability is below this share of that of the best fact with
        /// the same head and label.
        #[serde(default)]
        rivalry: f64,
        /// Those of single labels, instead of `rivalry`: a place lies in one country, and in a town, a
        /// county and a state.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        rivalries: BTreeMap<String, f64>,
        #[serde(default)]
        feedforward_dropout: f64,
        /// Each way's units of a BiLSTM that reads the sentences again with the arguments marked by
        /// type (as the typed markers of Zhong and Chen 2021); absent means the encoder alone reads.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reader_hidden: Option<i64>,
        /// Products that compare the words of two mentions, whatever stands around them: that Rotterdam lies
        /// in the Netherlands is known of the names, not of the sentence. Absent means none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        word_match: Option<i64>,
        /// Labels whose arguments have no order, such as `spouse`: learned both ways, reported
        /// once, right either way.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        symmetric: Vec<String>,
        /// Relates only mentions of types that the training data relates so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        constrain: Option<ConstrainConfig>,
        /// Makes the scores that are reported say how often they are right.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calibration: Option<CalibrationConfig>,
        /// In training, as many wrong mentions as this share of the right ones are paired too: the spans
        /// that the arguments' task comes nearest to taking for mentions. Nothing holds of them, and
        /// some will be among what it finds.
        #[serde(default, skip_serializing_if = "is_zero")]
        near_misses: f64,
        /// What a relation holds between: two entities, and is stated once, or two mentions.
        #[serde(default, skip_serializing_if = "Between::is_entities")]
        between: Between,
        /// The coreference task whose clusters say which mentions are one entity, beside their
        /// names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entities: Option<String>,
        /// With `entities`: the other mentions of such a cluster, "she" and "the company", state facts of
        /// its names, which are what is reported.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        references: bool,
    },
    /// Coreference: spans ranked as mentions, antecedents ranked for each mention.
    MentionRanking(MentionRankingConfig),
}

/// Scores are reported as `sigmoid(scale * logit + shift)` (Platt 1999). What is reported at all
/// does not change. `hmtl evaluate` fits the two.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationConfig {
    pub scale: f64,
    #[serde(default)]
    pub shift: f64,
}

impl CalibrationConfig {
    /// Leaves scores as they are.
    pub const NONE: Self = Self { scale: 1.0, shift: 0.0 };

    /// The score that is reported of a logit.
    #[must_use]
    pub fn of_logit(&self, logit: f64) -> f32 {
        (1.0 / (1.0 + (-(self.scale * logit + self.shift)).exp())) as f32
    }

    /// The score that is reported of a probability.
    #[must_use]
    pub fn of_probability(&self, probability: f32) -> f32 {
        // As far from certain as a probability can be and not be certain.
        let p = f64::from(probability.clamp(f32::EPSILON, 1.0 - f32::EPSILON));
        self.of_logit((p / (1.0 - p)).ln())
    }
}

/// What relations hold between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Between {
    /// As in DocRED: mentions of one entity say the same.
    #[default]
    Entities,
    /// As in SciERC and ACE: each pair of mentions is a case of its own.
    Mentions,
}

impl Between {
    fn is_entities(&self) -> bool {
        *self == Self::Entities
    }
}

/// Which types of arguments a relation label allows: those that the training data shows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConstrainConfig {
    /// Types that were seen less often with a label are noise, unless it has no others.
    #[serde(default = "one")]
    pub min_count: usize,
}

/// Span-ranking coreference (Lee et al. 2017).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MentionRankingConfig {
    pub max_span_width: usize,
    /// Spans kept, as a share of the tokens.
    pub spans_per_word: f64,
    /// With `projection`: spans kept at least, or two fifths as many as there are tokens. News of a
    /// hundred tokens mentions more than a chapter does in a hundred of its own.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub min_spans: usize,
    /// Antecedents compared with each mention.
    pub max_antecedents: usize,
    /// Width of the hidden layers of both scorers.
    pub hidden: i64,
    /// Width of the span-width and distance embeddings.
    pub feature_size: i64,
    #[serde(default)]
    pub feedforward_dropout: f64,
    /// Whether the whole document is one sequence for the encoder, as in 2018, or each sentence.
    #[serde(default)]
    pub whole_document: bool,
    /// Absent: spans and pairs are scored as in 2018. Present: spans are projected to this
    /// width first, antecedents are found coarse to fine in the whole document, and pairs carry
    /// string-match features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projection: Option<i64>,
    /// With `projection`: width of a summary of the document that is added to its spans, since what
    /// counts as a mention differs between kinds of text (the genre of Lee et al. 2017, but
    /// inferred).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub genre_size: Option<i64>,
    /// With `projection`: tells pairs of names, by their capitals, from other pairs, so that of spans
    /// with the same last word "the old man" and "the man" may be one and "Marie Curie" and "Pierre
    /// Curie" two.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub names: bool,
    /// With `projection`: what the antecedents of a span are chosen by knows how far they are, so that
    /// fewer of them are enough.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub coarse_distance: bool,
    /// Whether mentions that are nobody's antecedent are learned and reported.
    #[serde(default)]
    pub singletons: bool,
    /// With `projection`: the score of having no antecedent when annotating. Below 0, what was 0 in
    /// training, more mentions are linked.
    #[serde(default)]
    pub none_score: f64,
    /// With `singletons`: the mention score from which a mention is reported though nothing
    /// refers to it.
    #[serde(default)]
    pub singleton_score: f64,
    /// Clusters that are called by the same name are one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_names: Option<NamesConfig>,
    /// With `projection`: no name of several words joins a cluster that has such names and none that shares a word with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_names: Option<NamesConfig>,
}

/// What a name is: a mention that another task finds, with one of some labels, or with one more token before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamesConfig {
    pub task: String,
    pub labels: Vec<String>,
}

fn is_unset(count: &usize) -> bool {
    *count == 0
}

fn is_zero(score: &f64) -> bool {
    *score == 0.0
}

fn one() -> usize {
    1
}

fn half() -> f64 {
    0.5
}

fn biaffine_hidden() -> i64 {
    128
}

/// What one training example of a head is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Sentence,
    Document,
}

/// What a head predicts, and so how it is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    Spans,
    Relations,
    Coreference,
}

impl HeadConfig {
    /// What calibrates the scores of spans or relations.
    pub fn calibration(&self) -> Option<CalibrationConfig> {
        match self {
            Self::CrfTagger { calibration, .. }
            | Self::Biaffine { calibration, .. }
            | Self::MentionPairs { calibration, .. } => *calibration,
            Self::HeadSelection { .. } | Self::MentionRanking(_) => None,
        }
    }

    /// Which mentions of a document have one label.
    pub fn agreement(&self) -> Option<&AgreementConfig> {
        match self {
            Self::CrfTagger { agreement, .. } | Self::Biaffine { agreement, .. } => {
                agreement.as_ref()
            }
            _ => None,
        }
    }

    /// What names join clusters.
    pub fn same_names(&self) -> Option<&NamesConfig> {
        match self {
            Self::MentionRanking(ranking) => ranking.same_names.as_ref(),
            _ => None,
        }
    }

    /// What names keep clusters apart.
    pub fn other_names(&self) -> Option<&NamesConfig> {
        match self {
            Self::MentionRanking(ranking) => ranking.other_names.as_ref(),
            _ => None,
        }
    }

    /// Both, each with its option.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &NamesConfig)> + Clone {
        let same = self.same_names().map(|names| ("same_names", names));
        same.into_iter().chain(self.other_names().map(|names| ("other_names", names)))
    }

    pub fn kind(&self) -> TaskKind {
        match self {
            Self::CrfTagger { .. } | Self::Biaffine { .. } => TaskKind::Spans,
            Self::HeadSelection { .. } | Self::MentionPairs { .. } => TaskKind::Relations,
            Self::MentionRanking(_) => TaskKind::Coreference,
        }
    }

    pub fn unit(&self) -> Unit {
        match self {
            Self::CrfTagger { .. } | Self::Biaffine { .. } | Self::HeadSelection { .. } => {
                Unit::Sentence
            }
            Self::MentionPairs { .. } | Self::MentionRanking(_) => Unit::Document,
        }
    }

    /// Whether the encoder reads a document as one sequence, as in 2018.
    pub fn reads_whole_documents(&self) -> bool {
        matches!(self, Self::MentionRanking(MentionRankingConfig { whole_document: true, .. }))
    }

    /// The task whose mentions this head relates.
    pub fn arguments(&self) -> Option<&str> {
        match self {
            Self::HeadSelection { arguments, .. } | Self::MentionPairs { arguments, .. } => {
                Some(arguments)
            }
            _ => None,
        }
    }

    /// The task whose clusters this head takes for entities.
    pub fn entities(&self) -> Option<&str> {
        match self {
            Self::MentionPairs { entities, .. } => entities.as_deref(),
            _ => None,
        }
    }

    /// What the relations of this head hold between.
    pub fn between(&self) -> Between {
        match self {
            Self::MentionPairs { between, .. } => *between,
            _ => Between::Entities,
        }
    }

    /// The tasks whose predictions this head reads.
    pub fn needs(&self) -> impl Iterator<Item = &str> + Clone {
        let clusters = self.agreement().and_then(|agreement| agreement.clusters.as_deref());
        let names = self.names().map(|(_, names)| names.task.as_str());
        self.reads().chain(clusters).chain(names)
    }

    /// Those of them that this head cannot do without: the others only have to agree with it.
    pub fn reads(&self) -> impl Iterator<Item = &str> + Clone {
        self.arguments().into_iter().chain(self.entities())
    }

    /// The labels that its options name, each with the option.
    pub fn labels_named(&self) -> Vec<(&'static str, &String)> {
        if let Some(AgreementConfig { names, last_tokens, .. }) = self.agreement() {
            let names = names.iter().map(|label| ("agreement.names", label));
            let last_tokens = last_tokens.iter().map(|label| ("agreement.last_tokens", label));
            return names.chain(last_tokens).collect();
        }
        let Self::MentionPairs { symmetric, thresholds, rivalries, .. } = self else {
            return Vec::new();
        };
        let symmetric = symmetric.iter().map(|label| ("symmetric", label));
        let thresholds = thresholds.keys().map(|label| ("thresholds", label));
        let rivalries = rivalries.keys().map(|label| ("rivalries", label));
        symmetric.chain(thresholds).chain(rivalries).collect()
    }

    /// The labels whose arguments have no order.
    pub fn symmetric(&self) -> &[String] {
        match self {
            Self::MentionPairs { symmetric, .. } => symmetric,
            _ => &[],
        }
    }
}
