using System.Globalization;
using System.Net;

namespace Notify.WebPush;

/// <summary>
/// Sends push messages to push services (RFC 8030, section 5), one POST a call. It neither waits nor repeats: what to do next is the
/// caller's to decide by the outcome. Safe to use from several threads.
/// </summary>
public sealed class PushServiceClient
{
    private readonly HttpClient _http;
    private readonly VapidTokens _tokens;
    private readonly TimeProvider _time;
    private readonly RequestTimeouts _timeouts;

    /// <summary>A client on an <see cref="HttpClient"/> whose handler is, or behaves as, <see cref="CreateHandler"/>'s.</summary>
    /// <param name="http">Stays the caller's to dispose.</param>
    /// <param name="tokens">The Authorization headers.</param>
    /// <param name="time">The clock for <see cref="Timeout"/> and for a Retry-After that is a date.</param>
    public PushServiceClient(HttpClient http, VapidTokens tokens, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(http);
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentNullException.ThrowIfNull(time);
        _http = http;
        _tokens = tokens;
        _time = time;
        _timeouts = new RequestTimeouts(time);
    }

    /// <summary>
    /// How long one POST may take, with connecting and with what is read of the answer. Default: 10 seconds; more than zero, or
    /// <see cref="System.Threading.Timeout.InfiniteTimeSpan"/>. <see cref="HttpClient.Timeout"/> holds beside it.
    /// </summary>
    public TimeSpan Timeout
    {
        get;
        init => field = value > TimeSpan.Zero || value == System.Threading.Timeout.InfiniteTimeSpan
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), "Timeout must be more than zero.");
    } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// A handler fit for push services: no redirects (a way round any check of the endpoint), no proxy, no cookies, no decompression, no
    /// tracing headers; several HTTP/2 connections; bounds on what an answer may cost. The caller may add a ConnectCallback.
    /// </summary>
    public static SocketsHttpHandler CreateHandler() => new()
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        ActivityHeadersPropagator = null,

        // One HTTP/2 connection carries some 100 requests at a time: at 50 ms each that would be all a push service gets.
        EnableMultipleHttp2Connections = true,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        PooledConnectionLifetime = TimeSpan.FromMinutes(10),
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        KeepAlivePingDelay = TimeSpan.FromSeconds(15),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(10),

        // In kilobytes; the next two in bytes and time for what is left unread of a body before its connection is given up.
        MaxResponseHeadersLength = 16,
        MaxResponseDrainSize = 16 * 1024,
        ResponseDrainTimeout = TimeSpan.FromSeconds(1),
    };

    /// <summary>
    /// Encrypts and posts a message: (1) make the request, (2) send it, (3) read what went wrong, if anything did, (4) name the outcome.
    /// Never throws for what the push service or the network does.
    /// </summary>
    /// <exception cref="OperationCanceledException">The caller cancelled before the answer came; whether the push service has the message is not known.</exception>
    public Task<PushOutcome> SendAsync(
        PushSubscription subscription, PushMessage message, VapidKeyPair keys, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        ArgumentNullException.ThrowIfNull(message);
        ArgumentNullException.ThrowIfNull(keys);
        return SendAsync(subscription, message, encrypted: null, keys, cancellationToken);
    }

    /// <summary>The same for a message that is encrypted already, so that what is not encryption can be measured alone; null encrypts it here.</summary>
    internal async Task<PushOutcome> SendAsync(
        PushSubscription subscription, PushMessage message, byte[]? encrypted, VapidKeyPair keys, CancellationToken cancellationToken)
    {
        // 1.
        using var request = CreateRequest(subscription, message, encrypted, keys);
        var either = _timeouts.Rent(Timeout);
        var caller = cancellationToken.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), either);
        try
        {
            // 2.
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token).ConfigureAwait(false);

            // 3.
            var status = (int)response.StatusCode;
            var error = status is >= 200 and <= 399
                ? default
                : await PushServiceError.ReadAsync(response, subscription.Endpoint, either.Token).ConfigureAwait(false);

            // 4.
            return PushOutcomeMapping.Map(status, response.Headers, error, subscription.Endpoint.Host, _time.GetUtcNow());
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return PushOutcomeMapping.MapTimeout();
        }
        catch (HttpRequestException e)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return PushOutcomeMapping.MapFailure(e);
        }
        finally
        {
            // In this order: a cancellation by the caller that is under way ends before the source may serve another request.
            await caller.DisposeAsync().ConfigureAwait(false);
            _timeouts.Return(either);
        }
    }

    private HttpRequestMessage CreateRequest(PushSubscription subscription, PushMessage message, byte[]? encrypted, VapidKeyPair keys)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, subscription.Endpoint)
        {
            // Over plain http there is no negotiation, and HTTP/1.1 is what every server speaks.
            Version = subscription.Endpoint.Scheme == Uri.UriSchemeHttps ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            Content = CreateContent(subscription, message, encrypted),
        };
        var headers = request.Headers;
        headers.TryAddWithoutValidation("Authorization", _tokens.GetAuthorization(subscription.Endpoint, keys));

        // RFC 8030, sections 5.2 to 5.4.
        var seconds = (long)message.TimeToLive.TotalSeconds;
        headers.TryAddWithoutValidation("TTL", seconds.ToString(CultureInfo.InvariantCulture));
        headers.TryAddWithoutValidation("Urgency", ToHeader(message.Urgency));
        if (message.Topic is { } topic)
        {
            headers.TryAddWithoutValidation("Topic", topic);
        }

        // WNS answers 400 to a TTL of 0 unless it is told not to cache.
        if (seconds == 0 && subscription.Endpoint.Host.EndsWith(".notify.windows.com", StringComparison.Ordinal))
        {
            headers.TryAddWithoutValidation("X-WNS-Cache-Policy", "no-cache");
        }

        return request;
    }

    // The body has an array of its own, not a pooled one: when a request is given up, the connection may still be writing it.
    private static ByteArrayContent CreateContent(PushSubscription subscription, PushMessage message, byte[]? encrypted)
    {
        if (message.Content.IsEmpty)
        {
            return new ByteArrayContent([]);
        }

        var content = new ByteArrayContent(encrypted ?? Encrypt(subscription, message));
        content.Headers.TryAddWithoutValidation("Content-Type", "application/octet-stream");
        content.Headers.TryAddWithoutValidation("Content-Encoding", "aes128gcm");
        return content;
    }

    private static byte[] Encrypt(PushSubscription subscription, PushMessage message)
    {
        var body = new byte[ContentEncryption.GetEncryptedLength(message.Content.Length)];
        ContentEncryption.Encrypt(subscription, message.Content.Span, body);
        return body;
    }

    private static string ToHeader(PushUrgency urgency) => urgency switch
    {
        PushUrgency.VeryLow => "very-low",
        PushUrgency.Low => "low",
        PushUrgency.High => "high",
        _ => "normal",
    };
}
