//! Pure codecs between the OpenAI chat vocabulary and the wires of LLM providers.
