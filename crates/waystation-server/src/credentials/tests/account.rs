//! A service account as its file looks, with a key that was made for these tests and opens nothing.

/// 2048 bits, PKCS #8.
pub(crate) const PRIVATE_KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDV8y6upEJk89+P\n\
L7bA1R5I9h237DVcucJMfNrVTLcy9Qqpq3HagU72dDSXslTwhSimB8Y6kwTWuPZY\n\
tNTPgAB3eytNOXcSHfRQUZtp7mq1t3MtpsTiu7Iixy2EyTD7fi+r5Cw0jJgZBwti\n\
Z2pUfkL/ZhR/kIaxt/GcsE0pc/lcU/C2wik6KBcSlmKdOpU9RYS+R/UpcA2nD6ow\n\
WyuWbJ+dEGVonStqoGfy5H6HYdDVCC88gPONOCMVjy3mXELG26s7vDQan1DTNAqP\n\
eYh071XSPh9Pj8cv7a5sirmc606zVkBttNUNuQjRXJw2Vneal3PZcI626qPj/6oA\n\
3qwV3aMRAgMBAAECggEAF8h+87yAQfMnMqZZ8TEvuuobDx9DplFjAzgs5mGvCsvZ\n\
GdfcYe8WbUipMQTKsusGhABgvZGqy8jHX8CIWKGwy5dmTqEY9qtcRZJwzZOKirVA\n\
KT6867x0NrAABB8OYiKan4fPjy7i2INjNVbsJ8TaY0RAepbBFl/tjJ6/kSBag7P/\n\
6zoipSq2oH4H76iQR73bC7pfbgG/Cy3+vmMck4K5sMQejxxXqPIjZLzAAkZ/QHnj\n\
wcxWamMhyWGMV4x3QHkEabJzZ17HnRLpkhfyHV8HdFYIvFcAFeVuFUnFHzK/28hu\n\
DXsIvX9x1/TpHD/K+wf/6yDaqy24dMXYj7xPG7neLQKBgQD6bvwCcZvPcZPs0chX\n\
TDOpBb9M4Idmpxl/zdRzxAQvqqDwTHQ5KDKuuciOLFk4bCS1XTFu1M+aPG8zNxIn\n\
A7f1yk3EJD9HKceiHqIUHZJnrjlCS5j+EluPM21jJVb1wyIPnVDN5+tRsRv3nvDP\n\
HbFzyZgSnQfBAmYyEypn0nNsdQKBgQDatJlhJfQmjjIV3/M9vxi8S133U5gDo5HY\n\
UhqGW9hyNrxUzMiF2BGF7H2/8za3COQrsGnkU7bl96P9kBDmSnhEZo0+C1RT/KsD\n\
P2QXzI6UZi/jngraVmZLgj67c0nHh6mbNfVZK8DTIHjUISf2c3bUVcf+cO5CB8tW\n\
VRJQcBz4rQKBgFu3vfAfL5M/448+HYNrUxg6FJ/RM4Wy+THHbmGfjnDuqtaXCZHN\n\
WRKI1BzNvTde0+rgYLRYmFfCfm9hYfKL+Bm6p9SH+ezULlr/oRiA5Be4xRu0mCml\n\
C4dcrFk9WaXUe2sAkJF4uMRIexerTEJue4kOcfWPMUHM4STBxCwV9VPpAoGAWIYn\n\
WzJAm+aMkVwfmcui2HxtIXIdosNvgi7he6brend7TZvCQqLNnPa3g52PdRDNQn3a\n\
rsfPzU+qejT5Ei3sdktIOmfdj01Db0IWYqeywpCGK8zJucylBUVH3RnyMChSV3fE\n\
wn46Q3ruTXbKNTBRVesO04ekeOesv1oZ2qM2ptUCgYEAzwIl5m2vbkNO44mI7I2C\n\
jo5PhuDEIcpCuFYF64spfP8+wMqsMEnhu8OPk7T3nfX+UyfZVTy8E+8PnkoRs43Z\n\
glyRu10nSO+Y67DwdcTHvuUIutzM+ykfBHFraP1eHm9ouSxsZ/qg9Qwbi1HMvqyC\n\
X9im8D77HtHvvAje3mszuKc=\n\
-----END PRIVATE KEY-----\n\
";

/// The file, as the console hands it out.
pub(crate) fn file(token_uri: &str) -> String {
    serde_json::json!({
        "type": "service_account",
        "project_id": "my-project",
        "private_key_id": "0123456789abcdef",
        "private_key": PRIVATE_KEY,
        "client_email": "gateway@my-project.iam.gserviceaccount.com",
        "client_id": "1234567890",
        "token_uri": token_uri,
    })
    .to_string()
}
