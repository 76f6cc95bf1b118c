//! The wire formats of AWS, compared with recorded output of its own software.

#[cfg(feature = "lambda")]
mod kpl_vectors;
#[cfg(feature = "kcl")]
mod transcripts;
