//! The wire formats of AWS against what its own software was seen to write.

#[cfg(feature = "lambda")]
mod kpl_vectors;
#[cfg(feature = "kcl")]
mod transcripts;
