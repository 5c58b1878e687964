//! [`ModernBert`]: the layers of ModernBERT (Warner et al. 2024): rotary positions (Su et al. 2021), attention to
//! near pieces in all but every third layer, gated feed-forward nets, and norms before each part.

use serde::Deserialize;
use tch::{Kind, Tensor};

use super::maker::Maker;
use super::transformer::{Layers, NEVER, attend, bad_config, lookup, run};
use crate::Result;
use crate::dropout::Dropout as _;
use crate::params::Init;
use crate::transfer::upload_values;

pub(super) const MODEL_TYPE: &str = "modernbert";

/// The part of a Hugging Face `config.json` that the layers follow.
#[derive(Debug, Deserialize)]
struct Shape {
    hidden_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    intermediate_size: i64,
    max_position_embeddings: i64,
    vocab_size: i64,
    #[serde(default = "eps")]
    norm_eps: f64,
    #[serde(default = "gelu")]
    hidden_activation: String,
    #[serde(default)]
    norm_bias: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default)]
    embedding_dropout: f64,
    #[serde(default)]
    attention_dropout: f64,
    #[serde(default)]
    mlp_dropout: f64,
    /// Pieces that a local layer attends to, half of them on each side.
    local_attention: i64,
    #[serde(default = "three")]
    global_attn_every_n_layers: i64,
    /// Newer files list the layers instead.
    #[serde(default)]
    layer_types: Option<Vec<String>>,
    #[serde(default = "global_theta")]
    global_rope_theta: f64,
    #[serde(default)]
    local_rope_theta: Option<f64>,
    /// Newer files have the bases of the rotations here, by type of layer.
    #[serde(default)]
    rope_parameters: Option<Rotations>,
}

#[derive(Debug, Deserialize)]
struct Rotations {
    full_attention: Rotation,
    sliding_attention: Rotation,
}

#[derive(Debug, Deserialize)]
struct Rotation {
    rope_theta: f64,
}

fn eps() -> f64 {
    1e-5
}

fn gelu() -> String {
    "gelu".to_owned()
}

fn three() -> i64 {
    3
}

fn global_theta() -> f64 {
    160_000.0
}

impl Shape {
    fn parse(config: &str) -> Result<Self> {
        let shape: Self = serde_json::from_str(config).map_err(bad_config)?;
        if shape.hidden_activation != "gelu" {
            let act = &shape.hidden_activation;
            return Err(bad_config(format!("hidden_activation `{act}` is not gelu")));
        }
        let sizes = [
            shape.hidden_size,
            shape.num_hidden_layers,
            shape.num_attention_heads,
            shape.intermediate_size,
            shape.vocab_size,
            shape.local_attention,
            shape.global_attn_every_n_layers,
        ];
        let heads = 2 * shape.num_attention_heads.max(1);
        if sizes.iter().any(|&n| n <= 0) || shape.hidden_size % heads != 0 {
            return Err(bad_config("a size is impossible"));
        }
        let layers = shape.layer_types.as_ref().map_or(shape.num_hidden_layers, |t| t.len() as i64);
        if layers != shape.num_hidden_layers {
            return Err(bad_config("layer_types does not list each layer"));
        }
        if shape.max_position_embeddings < 8 {
            return Err(bad_config("max_position_embeddings is too small"));
        }
        Ok(shape)
    }

    fn is_local(&self, layer: i64) -> bool {
        match &self.layer_types {
            Some(types) => types[layer as usize] == "sliding_attention",
            None => layer % self.global_attn_every_n_layers != 0,
        }
    }

    /// The base of the rotations of a layer.
    fn theta(&self, local: bool) -> f64 {
        match &self.rope_parameters {
            Some(of) if local => of.sliding_attention.rope_theta,
            Some(of) => of.full_attention.rope_theta,
            None if local => self.local_rope_theta.unwrap_or(self.global_rope_theta),
            None => self.global_rope_theta,
        }
    }
}

/// Pieces that a transformer of this description reads at once.
pub(super) fn positions(config: &str) -> Result<i64> {
    Ok(Shape::parse(config)?.max_position_embeddings)
}

/// A weight, and a bias where the model has them.
type Weights = (Tensor, Option<Tensor>);

#[derive(Debug)]
struct Layer {
    local: bool,
    /// The first layer has none: the embeddings are normalized.
    attention_norm: Option<Weights>,
    together: Weights, // (3 * hidden, hidden): query, key and value
    attended: Weights, // (hidden, hidden)
    norm: Weights,
    gated: Weights,  // (2 * intermediate, hidden): input and gate
    output: Weights, // (hidden, intermediate)
}

/// The layers and what is below them.
#[derive(Debug)]
pub(super) struct ModernBert {
    shape: Shape,
    words: Tensor, // (vocabulary, hidden)
    norm: Weights,
    layers: Vec<Layer>,
    final_norm: Weights,
}

/// What layers of one kind share: which pieces see each other, and how positions turn them.
struct View {
    bias: Tensor, // (R, 1, 1 or P, P)
    cos: Tensor,  // (P, hidden / heads)
    sin: Tensor,
}

impl Layers for ModernBert {
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
        let words = lookup(&self.words, ids)?;
        let x = self.normed(&words, &self.norm)?.dropped(self.shape.embedding_dropout, train)?;
        let views = [self.view(present, false)?, self.view(present, true)?];
        let layer = |layer: &Layer, x: &Tensor| {
            self.layer(layer, x, &views[usize::from(layer.local)], train)
        };
        let mut states = run(&self.layers, x, all, layer)?;
        if let Some(last) = states.last_mut() {
            *last = self.normed(last, &self.final_norm)?;
        }
        Ok(states)
    }
}

impl ModernBert {
    pub(super) fn new(config: &str, make: &mut Maker) -> Result<Self> {
        let shape = Shape::parse(config)?;
        let (h, inner) = (shape.hidden_size, shape.intermediate_size);
        let mut get = |name: String, size: &[i64], init, bias: bool| -> Result<Weights> {
            let weight = make.get(&format!("{name}.weight"), size, init)?;
            let own = || make.get(&format!("{name}.bias"), &size[..1], Init::Zeros);
            Ok((weight, bias.then(own).transpose()?))
        };
        let (table, one) = (Init::Normal(0.02), Init::Constant(1.0));
        let embeddings = [shape.vocab_size, h];
        let (words, _) = get("embeddings.tok_embeddings".to_owned(), &embeddings, table, false)?;
        let norm = get("embeddings.norm".to_owned(), &[h], one, shape.norm_bias)?;
        let mut layers = Vec::new();
        for at in 0..shape.num_hidden_layers {
            let name = |part: &str| format!("layers.{at}.{part}");
            let attention_norm = match at {
                0 => None,
                _ => Some(get(name("attn_norm"), &[h], one, shape.norm_bias)?),
            };
            layers.push(Layer {
                local: shape.is_local(at),
                attention_norm,
                together: get(name("attn.Wqkv"), &[3 * h, h], table, shape.attention_bias)?,
                attended: get(name("attn.Wo"), &[h, h], table, shape.attention_bias)?,
                norm: get(name("mlp_norm"), &[h], one, shape.norm_bias)?,
                gated: get(name("mlp.Wi"), &[2 * inner, h], table, shape.mlp_bias)?,
                output: get(name("mlp.Wo"), &[h, inner], table, shape.mlp_bias)?,
            });
        }
        let final_norm = get("final_norm".to_owned(), &[h], one, shape.norm_bias)?;
        Ok(Self { shape, words, norm, layers, final_norm })
    }

    fn view(&self, present: &Tensor, local: bool) -> Result<View> {
        let (rows, length) = present.size2()?;
        let device = present.device();
        let mut seen = present.f_view([rows, 1, 1, length])?;
        let places = Tensor::f_arange(length, (Kind::Float, device))?;
        if local {
            let apart = places.f_unsqueeze(0)?.f_sub(&places.f_unsqueeze(1)?)?.f_abs()?;
            seen = seen.f_logical_and(&apart.f_le(self.shape.local_attention / 2)?)?;
        }
        let kind = self.words.kind();
        let bias = seen.f_logical_not()?.f_to_kind(kind)?.f_mul_scalar(NEVER)?;
        let size = self.width() / self.shape.num_attention_heads;
        let theta = self.shape.theta(local);
        let turns: Vec<f32> =
            (0..size / 2).map(|i| theta.powf(-(2 * i) as f64 / size as f64) as f32).collect();
        let turns = upload_values(&turns, &[-1], device)?;
        let angles = places.f_unsqueeze(1)?.f_mul(&turns.f_unsqueeze(0)?)?; // (P, size / 2)
        let angles = Tensor::f_cat(&[&angles, &angles], 1)?;
        Ok(View {
            bias,
            cos: angles.f_cos()?.f_to_kind(kind)?,
            sin: angles.f_sin()?.f_to_kind(kind)?,
        })
    }

    /// One layer: attention and a gated feed-forward net, each of the normalized state and added to it.
    fn layer(&self, layer: &Layer, x: &Tensor, view: &View, train: bool) -> Result<Tensor> {
        let (rows, length, hidden) = x.size3()?;
        let heads = self.shape.num_attention_heads;
        let own = match &layer.attention_norm {
            Some(norm) => &self.normed(x, norm)?,
            None => x,
        };
        let together = linear(own, &layer.together)?
            .f_view([rows, length, 3, heads, hidden / heads])?
            .f_permute([2, 0, 3, 1, 4])?; // (3, R, heads, P, hidden / heads)
        let (query, key) = (together.f_select(0, 0)?, together.f_select(0, 1)?);
        let of = [&turned(&query, view)?, &turned(&key, view)?, &together.f_select(0, 2)?];
        let attended = attend(of, &view.bias, self.shape.attention_dropout, train)?
            .f_transpose(1, 2)?
            .f_reshape([rows, length, hidden])?;
        let attended = linear(&attended, &layer.attended)?;
        let x = x.f_add(&attended.dropped(self.shape.attention_dropout, train)?)?;
        let gated = linear(&self.normed(&x, &layer.norm)?, &layer.gated)?.f_chunk(2, -1)?;
        let inner =
            gated[0].f_gelu("none")?.f_mul(&gated[1])?.dropped(self.shape.mlp_dropout, train)?;
        Ok(x.f_add(&linear(&inner, &layer.output)?)?)
    }

    fn normed(&self, x: &Tensor, (weight, bias): &Weights) -> Result<Tensor> {
        let (size, eps) = ([self.width()], self.shape.norm_eps);
        Ok(x.f_layer_norm(size, Some(weight), bias.as_ref(), eps, true)?)
    }
}

fn linear(x: &Tensor, (weight, bias): &Weights) -> Result<Tensor> {
    Ok(x.f_linear(weight, bias.as_ref())?)
}

/// Turns queries or keys (..., P, size) by their positions: halves are the two parts of a complex number.
fn turned(x: &Tensor, view: &View) -> Result<Tensor> {
    let halves = x.f_chunk(2, -1)?;
    let across = Tensor::f_cat(&[halves[1].f_neg()?, halves[0].shallow_clone()], -1)?;
    Ok(x.f_mul(&view.cos)?.f_add(&across.f_mul(&view.sin)?)?)
}
