using System.Text.Json;
using System.Text.Json.Serialization;
using MassTransit;
using Notify.Authentication;
using Notify.Contracts;
using Notify.Messaging;
using Notify.Operations;

namespace Notify.Fanout;

/// <summary>Publishing over HTTP, for those who are not on the bus.</summary>
internal static class MessagesApi
{
    /// <summary>The largest event that is taken, here and from the bus: fifty thousand recipients with the longest ids of ASCII are less.</summary>
    internal const int MaxEventBytes = 16 * 1024 * 1024;

    private static readonly TimeSpan ToBeRead = TimeSpan.FromMinutes(2);

    private static readonly JsonSerializerOptions Json = MessagePostedConverter.Lenient(new(JsonSerializerOptions.Web) { NumberHandling = JsonNumberHandling.Strict, AllowDuplicateProperties = false });

    public static void MapMessagesApi(this IEndpointRouteBuilder routes) =>
        routes.MapPost("/api/messages", PostAsync).WithName("PostMessage").WithTags("Messages")
            .RequireAuthorization(Policies.Publish)
            .Accepts<MessagePosted>("application/json")
            .Produces(StatusCodes.Status202Accepted)
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status413PayloadTooLarge)

            // Reading and publishing have limits of their own.
            .DisableRequestTimeout();

    private static async Task<IResult> PostAsync(HttpRequest request, IBus bus, TimeProvider time, CancellationToken cancellationToken)
    {
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        IDisposable? place = null;
        try
        {
            // Of a large one the rest is read once it has a place, which others wait for.
            if (await RequestBody.ReadAsync(request, MaxEventBytes, LargeMessages.LargeBody, TakePlaceAsync, reading.Token) is not { } body)
            {
                return Problems.TooLarge($"A message is at most {MaxEventBytes / 1024 / 1024} MiB of JSON.");
            }

            return await ConfirmedPublish.InTimeAsync(token => PublishAsync(body, bus, token), time, cancellationToken);
        }
        catch (OperationCanceledException) when (reading.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return Problems.Of(StatusCodes.Status408RequestTimeout, "request_timeout", $"A message of more than {LargeMessages.LargeBody / 1024} KiB must come within {ToBeRead.TotalMinutes:0} minutes.");
        }
        finally
        {
            place?.Dispose();
        }

        async Task TakePlaceAsync()
        {
            place = await LargeMessages.TakePlaceAsync(LargeMessages.OverHttp, ConfirmedPublish.Patience, cancellationToken);
            reading.CancelAfter(ToBeRead);
        }
    }

    private static async Task<IResult> PublishAsync(ReadOnlyMemory<byte> body, IBus bus, CancellationToken cancellationToken)
    {
        MessagePosted? message;
        try
        {
            message = JsonSerializer.Deserialize<MessagePosted>(body.Span, Json);
        }
        catch (JsonException exception)
        {
            return Problems.Of(StatusCodes.Status400BadRequest, "parse_error", $"The body must be MessagePosted as JSON; it cannot be read at {exception.Path ?? "$"}, line {exception.LineNumber + 1 ?? 1}.");
        }

        if (message is null)
        {
            return Problems.Of(StatusCodes.Status400BadRequest, "parse_error", "The body must be MessagePosted as JSON, not null.");
        }

        if (MessageRules.Check(message) is { Count: > 0 } faults)
        {
            return Problems.Of(StatusCodes.Status400BadRequest, "invalid_message", MessageRules.TextOf(faults), faults);
        }

        // Should its queue be gone, it is an error rather than a message lost.
        await bus.Publish(message, context => context.Mandatory = true, cancellationToken);
        return TypedResults.Accepted($"/api/messages/{message.MessageId}/deliveries");
    }
}
