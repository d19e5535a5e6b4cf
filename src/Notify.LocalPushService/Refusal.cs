namespace Notify.LocalPushService;

/// <summary>
/// Why a push message is refused: HTTP status, the number Mozilla's push service has for it (999 where it has none), a
/// stable word (Apple's where it has one), and a sentence. No sentence ever repeats what was sent.
/// </summary>
internal sealed record Refusal(int Status, int Errno, string Reason, string Message)
{
    public static readonly Refusal UnknownEndpoint = new(404, 102, "BadDeviceToken", "No such push resource.");
    public static readonly Refusal Gone = new(410, 103, "Unregistered", "The subscription is gone.");

    public static readonly Refusal MissingTtl = new(400, 111, "BadTtl", "The TTL header is required.");
    public static readonly Refusal BadTtl = new(400, 112, "BadTtl", "TTL must be digits, at most 2592000 (30 days).");
    public static readonly Refusal BadTopic =
        new(400, 113, "BadWebPushTopic", "Topic must be 1 to 32 characters of base64url whose count modulo 4 is not 1.");
    public static readonly Refusal BadUrgency = new(400, 999, "BadUrgency", "Urgency must be very-low, low, normal or high.");

    public static readonly Refusal MissingLength = new(411, 999, "MissingContentLength", "Content-Length is required.");
    public static readonly Refusal TooLarge = new(413, 104, "PayloadTooLarge", "The body exceeds 4096 bytes.");
    public static readonly Refusal BadEncoding =
        new(400, 110, "BadContentEncoding", "A body needs the header Content-Encoding: aes128gcm.");
    public static readonly Refusal LegacyHeaders =
        new(400, 110, "BadCryptoHeaders", "Encryption and Crypto-Key do not go with aes128gcm.");
    public static readonly Refusal TooShort =
        new(400, 110, "BadEncryption", "A body has at least 103 bytes: header 86, delimiter 1, tag 16.");
    public static readonly Refusal BadRecordSize = new(400, 110, "BadEncryption", "The record size must be at least 18.");
    public static readonly Refusal ManyRecords = new(400, 110, "BadEncryption", "The body must be one record.");
    public static readonly Refusal BadKeyId =
        new(400, 110, "BadEncryption", "The keyid must be an uncompressed P-256 point of 65 bytes.");
    public static readonly Refusal OffCurve = new(400, 110, "BadEncryption", "The keyid is not a point on P-256.");
    public static readonly Refusal Reused =
        new(400, 110, "ReusedEncryption", "Salt and ephemeral key must be fresh for every push message.");

    public static readonly Refusal MissingVapid = new(401, 109, "MissingAuthorization", "Authorization is required.");
    public static readonly Refusal MalformedVapid =
        new(401, 109, "BadAuthorization", "Authorization must be: vapid t=<JWT>, k=<uncompressed P-256 point in base64url>.");
    public static readonly Refusal MalformedToken =
        new(401, 109, "BadJwtToken", "The token is not three parts of base64url with a JSON header and JSON claims.");
    public static readonly Refusal BadTokenHeader = new(403, 109, "BadJwtToken", "The token's typ must be JWT, its alg ES256.");
    public static readonly Refusal BadSignature = new(403, 109, "BadJwtToken", "The token's signature does not verify with k.");
    public static readonly Refusal BadAudience = new(403, 109, "BadJwtToken", "The token's aud is not this push service's origin.");
    public static readonly Refusal BadExpiry = new(403, 109, "BadJwtToken", "The token's exp must be an integer number of seconds.");
    public static readonly Refusal Expired = new(403, 109, "ExpiredJwtToken", "The token has expired.");
    public static readonly Refusal ExpiresTooLate = new(403, 109, "BadJwtToken", "The token's exp is more than 24 hours ahead.");
    public static readonly Refusal BadSubject =
        new(403, 109, "BadJwtToken", "The token's sub must be a mailto: or https: URI, without spaces and angle brackets, not of this machine.");
    public static readonly Refusal WrongKey =
        new(403, 109, "VapidPkHashMismatch", "k is not the application server key that the subscription was made with.");

    public static Refusal OfFault(int status) => new(
        status,
        status switch { 401 or 403 => 109, 404 => 102, 410 => 103, 413 => 104, 503 => 201, _ => 999 },
        "Fault",
        "A fault on command.");
}
