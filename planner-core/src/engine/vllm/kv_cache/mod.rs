//! From cache layers to blocks: [`layers`] and [`state`] say what each layer keeps; [`block_size`] and [`rank`]
//! decide the tokens of a block; [`build_specs`] makes a [`spec`] for every layer; [`group`] and [`pack`] put
//! layers into groups; [`capacity`] counts blocks, tokens and concurrency.

pub mod block_size;
pub mod build_specs;
pub mod capacity;
pub mod deepseek_v4;
pub mod group;
pub mod layers;
pub mod pack;
pub mod rank;
pub mod running;
pub mod spec;
pub mod state;
pub mod tensor_layout;
pub mod windows;
