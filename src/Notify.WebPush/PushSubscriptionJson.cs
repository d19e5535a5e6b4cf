using System.Text.Json;
using System.Text.Json.Serialization;

namespace Notify.WebPush;

/// <summary>The JSON of a push subscription: its members and their types, and nothing yet about their values.</summary>
internal static partial class PushSubscriptionJson
{
    private const string Expected = "send what PushSubscription.toJSON() gives.";

    internal static (string Endpoint, DateTimeOffset? ExpirationTime, (string P256dh, string Auth) Keys) Read(ReadOnlySpan<byte> utf8Json)
    {
        Root? root;
        try
        {
            root = JsonSerializer.Deserialize(utf8Json, Context.Default.Root);
        }
        catch (JsonException e)
        {
            throw Malformed(e.Path);
        }

        if (root is null)
        {
            throw ParseError("The JSON must be an object: " + Expected);
        }

        var keys = root.Keys ?? throw Missing("keys");
        return (
            root.Endpoint ?? throw Missing("endpoint"),
            ToTime(root.ExpirationTime),
            (keys.P256dh ?? throw Missing("keys.p256dh"), keys.Auth ?? throw Missing("keys.auth")));
    }

    // The exception's own message may quote the input, and so may its path: only known members are named.
    private static PushSubscriptionException Malformed(string? path) => path switch
    {
        "$.endpoint" => ParseError("endpoint must be given once, as a string: " + Expected),
        "$.expirationTime" => ParseError("expirationTime must be given once, as a number or null: " + Expected),
        "$.keys" => ParseError("keys must be given once, as an object: " + Expected),
        "$.keys.p256dh" => ParseError("keys.p256dh must be given once, as a string: " + Expected),
        "$.keys.auth" => ParseError("keys.auth must be given once, as a string: " + Expected),
        _ => ParseError("The body is not the JSON of a push subscription: " + Expected),
    };

    private static DateTimeOffset? ToTime(double? milliseconds)
    {
        if (milliseconds is not { } value)
        {
            return null;
        }

        // Year 9999 is as far as DateTimeOffset goes; -0.5 and the like have no meaning as an end.
        return value >= 0 && value <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? DateTimeOffset.FromUnixTimeMilliseconds((long)value)
            : throw ParseError("expirationTime must be milliseconds since 1970, or null: " + Expected);
    }

    private static PushSubscriptionException Missing(string member) => ParseError($"{member} is missing: " + Expected);

    private static PushSubscriptionException ParseError(string message) => new(PushSubscriptionException.ParseError, message);

    internal sealed record Root(string? Endpoint, double? ExpirationTime, KeyPair? Keys);

    internal sealed record KeyPair(string? P256dh, string? Auth);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, AllowDuplicateProperties = false)]
    [JsonSerializable(typeof(Root))]
    private sealed partial class Context : JsonSerializerContext;
}
