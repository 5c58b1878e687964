//! [`Windows`]: a convolution over characters as sums of rows of a table.
//!
//! What a character adds to a window depends on the character and on its place there alone, so the
//! products of all characters with all weights are made once.

/// One filter width; see the module.
#[derive(Debug)]
pub(crate) struct Windows {
    width: usize,
    filters: usize,
    /// (places, characters, filters)
    table: Vec<f32>,
    bias: Vec<f32>,
}

impl Windows {
    /// From vectors of characters (characters, size), weights (filters, size, width) and a bias (filters).
    pub(crate) fn new(characters: &[f32], size: usize, weights: &[f32], bias: &[f32]) -> Self {
        let filters = bias.len();
        let width = weights.len() / (filters * size);
        let mut table = Vec::with_capacity(width * characters.len() / size * filters);
        for place in 0..width {
            for character in characters.chunks(size) {
                table.extend((0..filters).map(|f| -> f32 {
                    let weight = |i: usize| weights[(f * size + i) * width + place];
                    character.iter().enumerate().map(|(i, c)| c * weight(i)).sum()
                }));
            }
        }
        Self { width, filters, table, bias: bias.to_vec() }
    }

    pub(crate) fn filters(&self) -> usize {
        self.filters
    }

    /// `max_t relu(W [c_t; ...; c_(t + width - 1)] + b)` over the windows that hold a character of the
    /// word; zero without characters. `sum` is room to work in.
    pub(crate) fn pool(&self, word: &[i64], sum: &mut Vec<f32>, out: &mut [f32]) {
        out.fill(0.0);
        let characters = self.table.len() / (self.width * self.filters);
        for end in 1..word.len() + self.width {
            sum.clear();
            sum.extend_from_slice(&self.bias);
            // The window ends before the character `end`; its last place is `width - 1`.
            let first = end.saturating_sub(self.width);
            for (at, &id) in word[first..end.min(word.len())].iter().enumerate() {
                let place = first + at + self.width - end;
                let row = (place * characters + id as usize) * self.filters;
                let row = &self.table[row..row + self.filters];
                sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
            out.iter_mut().zip(&*sum).for_each(|(out, &sum)| *out = out.max(sum));
        }
    }
}
