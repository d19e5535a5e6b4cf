using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;

namespace Notify.LocalPushService;

/// <summary>
/// <c>/faults</c>: POST adds one <see cref="PushFault"/>, GET lists what is still to strike, DELETE removes all. The JSON
/// content type is required, so that a web page of another origin cannot post here without a preflight.
/// </summary>
internal sealed class FaultsApi(PushFaults faults)
{
    private const int MaxBodyLength = 65_536;

    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new SecondsConverter() },
    };

    public async Task HandleAsync(HttpContext context)
    {
        switch (context.Request.Method)
        {
            case "GET":
                await context.Response.WriteAsJsonAsync(faults.Active, s_json);
                break;
            case "DELETE":
                faults.Clear();
                context.Response.StatusCode = StatusCodes.Status204NoContent;
                break;
            case "POST" when !context.Request.HasJsonContentType():
                await RefuseAsync(context, StatusCodes.Status415UnsupportedMediaType, "The content type must be application/json.");
                break;
            case "POST" when context.Request.ContentLength is null or > MaxBodyLength:
                await RefuseAsync(context, StatusCodes.Status413PayloadTooLarge, "Content-Length is required, at most 65536.");
                break;
            case "POST":
                await AddAsync(context);
                break;
            default:
                context.Response.Headers.Allow = "GET, POST, DELETE";
                await RefuseAsync(context, StatusCodes.Status405MethodNotAllowed, "GET, POST or DELETE.");
                break;
        }
    }

    private async Task AddAsync(HttpContext context)
    {
        try
        {
            PushFault fault = await context.Request.ReadFromJsonAsync<PushFault>(s_json, context.RequestAborted)
                ?? throw new JsonException("The body must be a fault.");
            faults.Add(fault);
            context.Response.StatusCode = StatusCodes.Status204NoContent;
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, e.Message);
        }
    }

    private static Task RefuseAsync(HttpContext context, int status, string message) =>
        ErrorBody.WriteAsync(context.Response, new Refusal(status, 999, "BadFault", message));

    private sealed class SecondsConverter : JsonConverter<TimeSpan>
    {
        // Above any delay that is allowed, below what TimeSpan holds.
        private const double MaxSeconds = 1e9;

        public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetDouble(out double seconds) || Math.Abs(seconds) > MaxSeconds)
            {
                throw new JsonException("A delay is a number of seconds.");
            }

            return TimeSpan.FromSeconds(seconds);
        }

        public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) =>
            writer.WriteNumberValue(value.TotalSeconds);
    }
}
