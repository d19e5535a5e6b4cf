using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Notify.Authentication;
using Notify.Operations;
using Notify.Store;

namespace Notify.Deliveries;

/// <summary>What became of a message for one subscription.</summary>
/// <param name="SubscriptionId">The subscription.</param>
/// <param name="UserId">The user it was meant for.</param>
/// <param name="State">accepted, retrying, expired or failed; one that was accepted is displayed and then clicked once its service worker has said so.</param>
/// <param name="Attempts">POSTs made.</param>
/// <param name="Status">The last HTTP status; null if there was no answer.</param>
/// <param name="Reason">Why it waits or was given up.</param>
/// <param name="NextAttemptAt">When it is tried next at the earliest; null unless it waits.</param>
/// <param name="UpdatedAt">When it was accepted, expired or failed, or when it began to wait.</param>
/// <param name="DisplayedAt">When its service worker said that it was shown; null if it did not.</param>
/// <param name="ClickedAt">When its service worker said that it was clicked; null if it did not.</param>
/// <param name="ClickedAction">The button that was clicked; null for the notification itself.</param>
public sealed record DeliveryView(
    Guid SubscriptionId, string UserId, string State, int Attempts, int? Status, string? Reason, DateTimeOffset? NextAttemptAt, DateTimeOffset UpdatedAt,
    DateTimeOffset? DisplayedAt, DateTimeOffset? ClickedAt, string? ClickedAction)
{
    internal static string NameOf(DeliveryState state, bool isDisplayed = false, bool isClicked = false) => state switch
    {
        DeliveryState.Accepted when isClicked => "clicked",
        DeliveryState.Accepted when isDisplayed => "displayed",
        DeliveryState.Accepted => "accepted",
        DeliveryState.Retrying => "retrying",
        DeliveryState.Expired => "expired",
        _ => "failed",
    };
}

/// <summary>Asks what became of a message.</summary>
internal static class DeliveriesApi
{
    public static void MapDeliveriesApi(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/messages/{messageId:guid}/deliveries", ListAsync).WithName("ListDeliveries").WithTags("Messages")
            .Produces<IReadOnlyList<DeliveryView>>().ProducesProblem(StatusCodes.Status404NotFound)
            .RequireAuthorization(Policies.Publish);

    private static async Task<IResult> ListAsync(Guid messageId, HttpContext context, NotifyDbContext db, IOptions<DeliveryLogOptions> options, CancellationToken cancellationToken)
    {
        if (!options.Value.Enabled)
        {
            return NoLog();
        }

        var rows = db.Deliveries.AsNoTracking()
            .Where(row => row.MessageId == messageId)
            .LeftJoin(db.Receipts.Where(receipt => receipt.Kind == ReceiptKind.Displayed), row => new { row.MessageId, row.SubscriptionId }, receipt => new { receipt.MessageId, receipt.SubscriptionId }, (row, receipt) => new { row, displayed = receipt })
            .LeftJoin(db.Receipts.Where(receipt => receipt.Kind == ReceiptKind.Clicked), joined => new { joined.row.MessageId, joined.row.SubscriptionId }, receipt => new { receipt.MessageId, receipt.SubscriptionId }, (joined, receipt) => new { joined.row, joined.displayed, clicked = receipt })
            .OrderBy(joined => joined.row.SubscriptionId)
            .AsAsyncEnumerable()
            .Select(joined => new DeliveryView(
                joined.row.SubscriptionId, joined.row.UserId, DeliveryView.NameOf(joined.row.State, joined.displayed is not null, joined.clicked is not null), joined.row.Attempts, joined.row.Status, joined.row.Reason,
                joined.row.NextAttemptAt, joined.row.UpdatedAt, joined.displayed?.At, joined.clicked?.At, joined.clicked?.Action))
            .GetAsyncEnumerator(cancellationToken);

        // The answer begins with the first row: what the database fails at before that is an error still. Who reads a hundred thousand of them may take their time.
        var isAny = await rows.MoveNextAsync();
        context.Features.Get<IHttpRequestTimeoutFeature>()?.DisableTimeout();
        return TypedResults.Ok(FromFirstAsync(rows, isAny));
    }

    internal static IResult NoLog() => Problems.Of(StatusCodes.Status404NotFound, "not_found", "No delivery log is kept here (Notify__DeliveryLog__Enabled).");

    private static async IAsyncEnumerable<DeliveryView> FromFirstAsync(IAsyncEnumerator<DeliveryView> rows, bool isAny)
    {
        await using (rows)
        {
            for (; isAny; isAny = await rows.MoveNextAsync())
            {
                yield return rows.Current;
            }
        }
    }
}
