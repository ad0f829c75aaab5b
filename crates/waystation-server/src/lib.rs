//! The waystation binary: a self-hosted, OpenAI-compatible LLM gateway.
