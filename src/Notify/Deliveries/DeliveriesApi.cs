using Microsoft.EntityFrameworkCore;
using Notify.Authentication;
using Notify.Store;

namespace Notify.Deliveries;

/// <summary>What became of a message for one subscription.</summary>
/// <param name="SubscriptionId">The subscription.</param>
/// <param name="UserId">The user it was meant for.</param>
/// <param name="State">accepted, retrying, expired or failed.</param>
/// <param name="Attempts">POSTs made.</param>
/// <param name="Status">The last HTTP status; null if there was no answer.</param>
/// <param name="Reason">Why it waits or was given up.</param>
/// <param name="NextAttemptAt">When it is tried next at the earliest; null unless it waits.</param>
/// <param name="UpdatedAt">When it came to this state.</param>
public sealed record DeliveryView(
    Guid SubscriptionId, string UserId, string State, int Attempts, int? Status, string? Reason, DateTimeOffset? NextAttemptAt, DateTimeOffset UpdatedAt);

/// <summary>Asks what became of a message.</summary>
internal static class DeliveriesApi
{
    public static void MapDeliveriesApi(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/messages/{messageId:guid}/deliveries", ListAsync).WithName("ListDeliveries").WithTags("Messages")
            .RequireAuthorization(Policies.Publish);

    private static IAsyncEnumerable<DeliveryView> ListAsync(Guid messageId, NotifyDbContext db) =>
        db.Deliveries.AsNoTracking()
            .Where(row => row.MessageId == messageId)
            .OrderBy(row => row.SubscriptionId)
            .Select(row => new { row.SubscriptionId, row.UserId, row.State, row.Attempts, row.Status, row.Reason, row.NextAttemptAt, row.UpdatedAt })
            .AsAsyncEnumerable()
            .Select(row => new DeliveryView(
                row.SubscriptionId, row.UserId, NameOf(row.State), row.Attempts, row.Status, row.Reason, row.NextAttemptAt, row.UpdatedAt));

    private static string NameOf(DeliveryState state) => state switch
    {
        DeliveryState.Accepted => "accepted",
        DeliveryState.Retrying => "retrying",
        DeliveryState.Expired => "expired",
        _ => "failed",
    };
}
