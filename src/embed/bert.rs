//! [`Bert`]: the layers of BERT and RoBERTa (Devlin et al. 2019; Liu et al. 2019).

use serde::Deserialize;
use tch::Tensor;

use super::maker::Maker;
use super::transformer::{Layers, NEVER, attend, bad_config, lookup, run};
use crate::Result;
use crate::dropout::Dropout as _;
use crate::params::Init;

pub(super) const MODEL_TYPES: [&str; 4] = ["bert", "roberta", "xlm-roberta", "camembert"];

/// The part of a Hugging Face `config.json` that the layers follow.
#[derive(Debug, Deserialize)]
struct Shape {
    model_type: String,
    hidden_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    intermediate_size: i64,
    max_position_embeddings: i64,
    vocab_size: i64,
    #[serde(default)]
    type_vocab_size: i64,
    layer_norm_eps: f64,
    hidden_act: String,
    #[serde(default)]
    hidden_dropout_prob: f64,
    #[serde(default)]
    attention_probs_dropout_prob: f64,
    #[serde(default)]
    pad_token_id: i64,
    #[serde(default)]
    position_embedding_type: Option<String>,
}

impl Shape {
    fn parse(config: &str) -> Result<Self> {
        let shape: Self = serde_json::from_str(config).map_err(bad_config)?;
        if shape.hidden_act != "gelu" {
            return Err(bad_config(format!("hidden_act `{}` is not gelu", shape.hidden_act)));
        }
        if shape.position_embedding_type.as_deref().is_some_and(|t| t != "absolute") {
            return Err(bad_config("position_embedding_type is not absolute".to_owned()));
        }
        let sizes = [
            shape.hidden_size,
            shape.num_hidden_layers,
            shape.num_attention_heads,
            shape.intermediate_size,
            shape.vocab_size,
        ];
        if sizes.iter().any(|&n| n <= 0) || shape.hidden_size % shape.num_attention_heads != 0 {
            return Err(bad_config("a size is impossible".to_owned()));
        }
        if shape.positions() < 8 {
            return Err(bad_config("max_position_embeddings is too small".to_owned()));
        }
        Ok(shape)
    }

    /// The position of the first piece: those of RoBERTa start after padding.
    fn first_position(&self) -> i64 {
        if self.model_type == "bert" { 0 } else { self.pad_token_id + 1 }
    }

    /// Pieces that it can read at once.
    fn positions(&self) -> i64 {
        self.max_position_embeddings - self.first_position()
    }
}

#[derive(Debug)]
struct Norm {
    weight: Tensor, // (hidden)
    bias: Tensor,   // (hidden)
}

type Linear = (Tensor, Tensor); // (out, in), (out)

#[derive(Debug)]
struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: Norm,
    intermediate: Linear,
    output: Linear,
    output_norm: Norm,
}

/// The layers and what is below them.
#[derive(Debug)]
pub(super) struct Bert {
    shape: Shape,
    words: Tensor,     // (vocabulary, hidden)
    positions: Tensor, // (positions, hidden)
    kind: Tensor,      // (types, hidden)
    norm: Norm,
    layers: Vec<Layer>,
}

impl Maker<'_> {
    fn linear(&mut self, name: &str, out: i64, input: i64) -> Result<Linear> {
        let weight = self.get(&format!("{name}.weight"), &[out, input], Init::Normal(0.02))?;
        Ok((weight, self.get(&format!("{name}.bias"), &[out], Init::Zeros)?))
    }

    fn norm(&mut self, name: &str, size: i64) -> Result<Norm> {
        let name = format!("{name}.LayerNorm");
        let weight = self.get(&format!("{name}.weight"), &[size], Init::Constant(1.0))?;
        Ok(Norm { weight, bias: self.get(&format!("{name}.bias"), &[size], Init::Zeros)? })
    }
}

/// Pieces that a transformer of this description reads at once.
pub(super) fn positions(config: &str) -> Result<i64> {
    Ok(Shape::parse(config)?.positions())
}

impl Layers for Bert {
    fn width(&self) -> i64 {
        self.shape.hidden_size
    }

    fn depth(&self) -> i64 {
        self.shape.num_hidden_layers
    }

    fn states(
        &self,
        ids: &Tensor,
        present: &Tensor,
        all: bool,
        train: bool,
    ) -> Result<Vec<Tensor>> {
        let (rows, length) = ids.size2()?;
        let shape = &self.shape;
        let positions = self.positions.f_narrow(0, shape.first_position(), length)?;
        let words = lookup(&self.words, ids)?;
        // Added in the order of the original, for equal rounding.
        let embedded = words.f_add(&self.kind.f_select(0, 0)?)?.f_add(&positions)?;
        let x = self.norm(&embedded, &self.norm)?.dropped(shape.hidden_dropout_prob, train)?;
        let bias = present
            .f_logical_not()?
            .f_to_kind(x.kind())?
            .f_mul_scalar(NEVER)?
            .f_view([rows, 1, 1, length])?;
        run(&self.layers, x, all, |layer, x| self.layer(layer, x, &bias, train))
    }
}

impl Bert {
    pub(super) fn new(config: &str, make: &mut Maker) -> Result<Self> {
        let shape = Shape::parse(config)?;
        let (h, inner) = (shape.hidden_size, shape.intermediate_size);
        let table = Init::Normal(0.02);
        let words = make.get("embeddings.word_embeddings.weight", &[shape.vocab_size, h], table)?;
        let positions = [shape.max_position_embeddings, h];
        let positions = make.get("embeddings.position_embeddings.weight", &positions, table)?;
        let kinds = [shape.type_vocab_size.max(1), h];
        let kind = make.get("embeddings.token_type_embeddings.weight", &kinds, table)?;
        let norm = make.norm("embeddings", h)?;
        let mut layers = Vec::new();
        for at in 0..shape.num_hidden_layers {
            let name = |part: &str| format!("encoder.layer.{at}.{part}");
            layers.push(Layer {
                query: make.linear(&name("attention.self.query"), h, h)?,
                key: make.linear(&name("attention.self.key"), h, h)?,
                value: make.linear(&name("attention.self.value"), h, h)?,
                attended: make.linear(&name("attention.output.dense"), h, h)?,
                attended_norm: make.norm(&name("attention.output"), h)?,
                intermediate: make.linear(&name("intermediate.dense"), inner, h)?,
                output: make.linear(&name("output.dense"), h, inner)?,
                output_norm: make.norm(&name("output"), h)?,
            });
        }
        Ok(Self { shape, words, positions, kind, norm, layers })
    }

    /// One layer: attention and a feed-forward net, each added to its input and normalized.
    fn layer(&self, layer: &Layer, x: &Tensor, bias: &Tensor, train: bool) -> Result<Tensor> {
        let (rows, length, hidden) = x.size3()?;
        let shape = &self.shape;
        let heads = shape.num_attention_heads;
        let split = |(weight, bias): &Linear| -> Result<Tensor> {
            Ok(x.f_linear(weight, Some(bias))?
                .f_view([rows, length, heads, hidden / heads])?
                .f_transpose(1, 2)?) // (R, heads, P, hidden / heads)
        };
        let of = [&split(&layer.query)?, &split(&layer.key)?, &split(&layer.value)?];
        let attended = attend(of, bias, shape.attention_probs_dropout_prob, train)?
            .f_transpose(1, 2)?
            .f_reshape([rows, length, hidden])?
            .f_linear(&layer.attended.0, Some(&layer.attended.1))?
            .dropped(shape.hidden_dropout_prob, train)?;
        let x = self.norm(&attended.f_add(x)?, &layer.attended_norm)?;
        let output = x
            .f_linear(&layer.intermediate.0, Some(&layer.intermediate.1))?
            .f_gelu("none")?
            .f_linear(&layer.output.0, Some(&layer.output.1))?
            .dropped(shape.hidden_dropout_prob, train)?;
        self.norm(&output.f_add(&x)?, &layer.output_norm)
    }

    fn norm(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        let (size, eps) = ([self.shape.hidden_size], self.shape.layer_norm_eps);
        Ok(x.f_layer_norm(size, Some(&norm.weight), Some(&norm.bias), eps, true)?)
    }
}
