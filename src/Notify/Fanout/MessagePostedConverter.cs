using System.Text.Json;
using System.Text.Json.Serialization;
using Notify.Contracts;

namespace Notify.Fanout;

/// <summary>Reads an event as its JSON Schema has it: what may be absent may be null as well, 60.0 is a whole number, and what cannot be read is named by its path.</summary>
/// <remarks>The reason that stands in an error queue is the innermost exception's, and there .NET says what is wrong, but not where.</remarks>
internal sealed class MessagePostedConverter(JsonSerializerOptions options) : JsonConverter<MessagePosted>
{
    private readonly JsonSerializerOptions _options = Lenient(options);

    /// <summary>
    /// These options, where what may be absent may be null, whole numbers may be written as <c>60.0</c>, as Python writes the seconds of a duration, and a time has its offset. Of what cannot be
    /// read the exception tells all that this converter does, and the line besides.
    /// </summary>
    public static JsonSerializerOptions Lenient(JsonSerializerOptions options) => Before(Before(Before(options, new NullIsFalse()), new WholeNumber()), new TimeWithOffset());

    /// <summary>These options with this way to read an event.</summary>
    public static JsonSerializerOptions AddedTo(JsonSerializerOptions options) => Before(options, new MessagePostedConverter(options));

    public override MessagePosted? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        try
        {
            return JsonSerializer.Deserialize<MessagePosted>(ref reader, _options);
        }
        catch (JsonException exception)
        {
            throw new JsonException(exception.Message, exception.Path, exception.LineNumber, exception.BytePositionInLine);
        }
    }

    public override void Write(Utf8JsonWriter writer, MessagePosted value, JsonSerializerOptions options) => JsonSerializer.Serialize(writer, value, _options);

    private static JsonSerializerOptions Before(JsonSerializerOptions options, JsonConverter converter)
    {
        var copy = new JsonSerializerOptions(options);
        copy.Converters.Insert(0, converter);
        return copy;
    }

    private sealed class WholeNumber : JsonConverter<int>
    {
        public override int Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.Number && reader.TryGetDecimal(out var number) && decimal.IsInteger(number) && number is >= int.MinValue and <= int.MaxValue ? (int)number : reader.GetInt32();

        public override void Write(Utf8JsonWriter writer, int value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
    }

    // .NET would take it for the time of day of whichever worker reads it.
    private sealed class TimeWithOffset : JsonConverter<DateTimeOffset>
    {
        public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String && reader.TryGetDateTimeOffset(out var time) && HasOffset(reader.GetString()!)
                ? time
                : throw new JsonException("postedAt must be an ISO 8601 date and time with its offset from UTC, as in 2026-01-01T00:00:00Z.");

        public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) => writer.WriteStringValue(value);

        private static bool HasOffset(string text) => text.IndexOf('T', StringComparison.Ordinal) is > 0 and var time && text.AsSpan(time).IndexOfAny("Z+-") > 0;
    }

    private sealed class NullIsFalse : JsonConverter<bool>
    {
        public override bool HandleNull => true;

        public override bool Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType != JsonTokenType.Null && reader.GetBoolean();

        public override void Write(Utf8JsonWriter writer, bool value, JsonSerializerOptions options) => writer.WriteBooleanValue(value);
    }
}
