using System.Text;
using System.Text.Json;

namespace Notify.WebPush;

/// <summary>What an answer says went wrong.</summary>
/// <param name="Reason">For people: safe to log, see <see cref="ReasonText"/>. Null when the answer says nothing.</param>
/// <param name="Errno">Mozilla autopush's own error number; null elsewhere.</param>
internal readonly record struct PushServiceError(string? Reason, int? Errno)
{
    /// <summary>Bytes read of a body at most; the vendors' own errors are shorter.</summary>
    internal const int MaxBodyLength = 1024;

    // WNS says it there: https://learn.microsoft.com/windows/apps/design/shell/tiles-and-notifications/push-request-response-headers
    private const string DescriptionHeader = "X-WNS-Error-Description";

    /// <summary>Reads the body, or where that says nothing WNS's header. At most <see cref="MaxBodyLength"/> bytes; a body that breaks off counts as far as it came: the status is known.</summary>
    internal static async Task<PushServiceError> ReadAsync(HttpResponseMessage response, Uri endpoint, CancellationToken cancellationToken)
    {
        var error = await ReadAsync(response.Content, endpoint, cancellationToken).ConfigureAwait(false);
        return error.Reason is null && response.Headers.TryGetValues(DescriptionHeader, out var said) ? error with { Reason = ReasonText.Clean(string.Join(", ", said), endpoint) } : error;
    }

    internal static async Task<PushServiceError> ReadAsync(HttpContent content, Uri endpoint, CancellationToken cancellationToken)
    {
        var body = new byte[MaxBodyLength];
        var length = 0;
        try
        {
            var stream = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                int read;
                while (length < body.Length
                    && (read = await stream.ReadAsync(body.AsMemory(length), cancellationToken).ConfigureAwait(false)) > 0)
                {
                    length += read;
                }
            }
        }
        catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException)
        {
        }

        return Parse(body.AsMemory(0, length), endpoint);
    }

    /// <summary>
    /// Takes Apple's <c>{"reason"}</c>, Mozilla's <c>{"errno","error","message"}</c>, Google's <c>{"error":{"message"}}</c>, or any text.
    /// </summary>
    internal static PushServiceError Parse(ReadOnlyMemory<byte> body, Uri endpoint)
    {
        var (text, errno) = ReadJson(body) ?? (Encoding.UTF8.GetString(body.Span), null);
        var reason = ReasonText.Clean(text, endpoint);
        if (errno is { } number)
        {
            reason = reason is null ? $"errno {number}" : $"errno {number}: {reason}";
        }

        return new PushServiceError(reason, errno);
    }

    private static (string Text, int? Errno)? ReadJson(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                return null;
            }

            var errno = root.TryGetProperty("errno", out var e) && e.ValueKind == JsonValueKind.Number && e.TryGetInt32(out var number)
                ? number
                : (int?)null;
            var text = Text(root, "reason") ?? Text(root, "message") ?? Text(root, "error")
                ?? (root.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.Object ? Text(error, "message") : null);
            return text is null && errno is null ? null : (text ?? "", errno);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Cut off, no JSON, or a string that is no text (half a surrogate pair): shown as it came.
            return null;
        }
    }

    private static string? Text(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var member) && member.ValueKind == JsonValueKind.String ? member.GetString() : null;
}
