using System.Text.Json;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Notify.Contracts;
using Notify.Messaging;
using Notify.Operations;
using Notify.Store;

namespace Notify.Deliveries;

/// <summary>Takes service workers' reports. The token in a push is all that is needed, since a service worker has no login, and speaks for that push alone.</summary>
internal static class ReceiptsApi
{
    private const int MaxBodyBytes = 2 * 1024;
    private const int MaxActionLength = 256;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerOptions.Web) { AllowDuplicateProperties = false };

    public static void MapReceiptsApi(this IEndpointRouteBuilder routes) =>
        routes.MapPost("/api/receipts", PostAsync).WithName("PostReceipt").WithTags("Messages").AllowAnonymous()
            .Accepts<ReceiptJson>("application/json")
            .Produces(StatusCodes.Status204NoContent)
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status413PayloadTooLarge);

    private static async Task<IResult> PostAsync(HttpRequest request, NotifyDbContext db, ReceiptTokens tokens, IOptions<DeliveryLogOptions> options, IBus bus, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!options.Value.Receipts)
        {
            return Problems.Of(StatusCodes.Status404NotFound, "not_found", "Receipts are switched off here (Notify__DeliveryLog__Receipts).");
        }

        if (await RequestBody.ReadAsync(request, MaxBodyBytes, cancellationToken) is not { } body)
        {
            return Problems.TooLarge($"A receipt is at most {MaxBodyBytes / 1024} KiB of JSON.");
        }

        if (Parse(body) is not var (token, kind, action))
        {
            return Problems.Of(StatusCodes.Status400BadRequest, "parse_error", """The body must be {"token": "...", "event": "displayed" or "clicked", "action": "..." if a button was clicked}.""");
        }

        if (!ReceiptTokens.TryRead(token, out var messageId, out var subscriptionId)
            || await db.Subscriptions.Where(known => known.Id == subscriptionId).Select(known => known.UserId).SingleOrDefaultAsync(cancellationToken) is not { } userId
            || !tokens.IsGenuine(token, userId))
        {
            // The same answer for all, so that nobody learns which subscriptions there are.
            return Problems.Of(StatusCodes.Status400BadRequest, "invalid_receipt", "The token is not that of a push to a subscription that is still its user's.");
        }

        var now = time.GetUtcNow();
        return await ConfirmedPublish.InTimeAsync(
            async token =>
            {
                await (kind == ReceiptKind.Clicked
                    ? bus.Publish(new PushClicked(subscriptionId, userId, messageId, action, now), token)
                    : bus.Publish(new PushDisplayed(subscriptionId, userId, messageId, now), token));
                return TypedResults.NoContent();
            },
            time,
            cancellationToken);
    }

    private static bool IsAction(string action) => action.Length is > 0 and <= MaxActionLength && !action.Any(char.IsControl);

    internal static (string Token, ReceiptKind Kind, string? Action)? Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize<ReceiptJson>(body.Span, Json) switch
            {
                { Token: { } token, Event: "displayed" } => (token, ReceiptKind.Displayed, null),
                { Token: { } token, Event: "clicked", } receipt when receipt.Action is null || IsAction(receipt.Action) => (token, ReceiptKind.Clicked, receipt.Action),
                _ => null,
            };
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>The body of a report.</summary>
/// <param name="Token">From the push: <c>notification.data.receipt</c>.</param>
/// <param name="Event">displayed or clicked.</param>
/// <param name="Action">The button that was clicked, 1 to 256 characters; none for the notification itself.</param>
internal sealed record ReceiptJson(string Token, string Event, string? Action = null);
