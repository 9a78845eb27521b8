//! Multi-head latent attention in its absorbed form. Queries are projected into the latent space, so that the
//! cache has one row of `rank + rope` per token for all heads.

use candle_core::{Result, Tensor};
use planner_core::spec::layer::Extent;

use crate::attention::{AttendedRows, Span, attend, heads, rotate, tokens};
use crate::weights::Weights;

/// The widths of a latent layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widths {
    /// Query heads.
    pub heads: usize,
    /// Width of the latent.
    pub rank: usize,
    /// Width of the rotary key.
    pub rope: usize,
    /// Width of a query's part without position.
    pub nope: usize,
    /// Width of a value.
    pub v_dim: usize,
}

/// Projections of one latent layer.
#[derive(Debug)]
pub struct Latent {
    widths: Widths,
    /// `[hidden, rank + rope]`; `None` in a layer that reads another layer's latent.
    down: Option<Tensor>,
    query: Tensor,
    /// `[heads, nope, rank]`: the projection that would expand the keys, applied to the queries.
    absorb: Tensor,
    /// `[heads, rank, v_dim]`.
    expand: Tensor,
    out: Tensor,
}

impl Latent {
    /// Seeded projections from a model `hidden` wide.
    pub fn new(weights: &mut Weights, hidden: usize, widths: Widths, own: bool) -> Result<Self> {
        let Widths { heads, rank, rope, nope, v_dim } = widths;
        Ok(Self {
            widths,
            down: own.then(|| weights.matrix(hidden, rank + rope)).transpose()?,
            query: weights.matrix(hidden, heads * (nope + rope))?,
            absorb: weights.tensor(&[heads, nope, rank], nope)?,
            expand: weights.tensor(&[heads, rank, v_dim], rank)?,
            out: weights.matrix(heads * v_dim, hidden)?,
        })
    }

    /// The latents of new tokens, `[sessions, tokens, rank + rope]`, the rotary part rotated.
    pub fn latents(&self, x: &Tensor, span: Span) -> Result<Option<Tensor>> {
        let Some(down) = &self.down else { return Ok(None) };
        let row = heads(&x.matmul(down)?, span.sessions, 1, self.widths.rank + self.widths.rope)?;
        if self.widths.rope == 0 {
            return Ok(Some(row));
        }
        let latent = row.narrow(2, 0, self.widths.rank)?;
        let key = rotate(&row.narrow(2, self.widths.rank, self.widths.rope)?.contiguous()?, span.first)?;
        Ok(Some(Tensor::cat(&[&latent.contiguous()?, &key], 2)?))
    }

    /// The layer's output for new tokens.
    pub fn forward(&self, x: &Tensor, span: Span, seen: &AttendedRows, extent: Extent) -> Result<Tensor> {
        let Widths { heads: count, rank, rope, nope, .. } = self.widths;
        // One matrix per head, for all sessions.
        let per_head = |x: &Tensor, matrices: &Tensor| {
            let (all, rows, width) = x.dims3()?;
            let split = x.reshape((all / count, count, rows, width))?;
            split.broadcast_matmul(matrices)?.flatten(0, 1)
        };
        let queries = heads(&x.matmul(&self.query)?, span.sessions, count, nope + rope)?;
        let mut parts = vec![per_head(&queries.narrow(2, 0, nope)?.contiguous()?, &self.absorb)?];
        if rope > 0 {
            parts.push(rotate(&queries.narrow(2, nope, rope)?.contiguous()?, span.first)?);
        }
        let queries = Tensor::cat(&parts, 2)?;
        let Some(rows) = seen.tensors.first() else { candle_core::bail!("a latent layer has no latents") };
        let values = rows.narrow(2, 0, rank)?;
        let mixed = attend(&queries, rows, &values, span, &seen.positions, extent)?;
        tokens(&per_head(&mixed, &self.expand)?, span.sessions)?.matmul(&self.out)
    }
}
