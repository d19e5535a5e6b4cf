using System.Security.Claims;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.OpenApi;
using Notify.Authentication;
using Notify.Operations;
using Notify.Sending;
using Notify.Store;
using Notify.WebPush;

namespace Notify.Subscriptions;

/// <summary>A subscription as its owner sees it: no keys, no endpoint.</summary>
/// <param name="Id">The subscription.</param>
/// <param name="PushService">Host of its push service.</param>
/// <param name="UserAgent">The browser's User-Agent header at the last registration.</param>
/// <param name="CreatedAt">When it was first registered.</param>
/// <param name="LastAcceptedAt">When a push was last accepted, to about a minute.</param>
public sealed record SubscriptionView(Guid Id, string PushService, string? UserAgent, DateTimeOffset CreatedAt, DateTimeOffset? LastAcceptedAt);

/// <summary>The answer to a registration.</summary>
/// <param name="Id">The subscription.</param>
/// <param name="IsNew">Whether its endpoint was unknown before.</param>
public sealed record RegisteredView(Guid Id, bool IsNew);

/// <summary>The answer of <c>GET /api/vapid-public-key</c>.</summary>
/// <param name="PublicKey">The application server key to subscribe with, base64url.</param>
public sealed record VapidPublicKeyView(string PublicKey);

/// <summary>The routes by which browsers register and users look after their subscriptions.</summary>
internal static class SubscriptionsApi
{
    private const int MaxBodyBytes = 8 * 1024;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerOptions.Web) { AllowDuplicateProperties = false };

    // A browser whose permission was revoked for good reports its subscription with this host: it is dead on arrival.
    private const string DeadOnArrival = "permanently-removed.invalid";

    public static void MapSubscriptionsApi(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/api/vapid-public-key", (VapidKeyRing keys) => new VapidPublicKeyView(keys.Current.PublicKey))
            .WithName("GetVapidPublicKey").WithTags("Subscriptions").AllowAnonymous();

        var group = routes.MapGroup("/api/subscriptions").WithTags("Subscriptions").RequireAuthorization(Policies.User);
        group.MapPost("", RegisterAsync).WithName("RegisterSubscription")
            .Accepts<PushSubscriptionJson>("application/json")
            .Produces<RegisteredView>(StatusCodes.Status201Created).Produces<RegisteredView>()
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge).ProducesProblem(StatusCodes.Status422UnprocessableEntity);
        group.MapGet("", ListAsync).WithName("ListSubscriptions");
        group.MapDelete("/{id:guid}", RemoveByIdAsync).WithName("RemoveSubscription")
            .Produces(StatusCodes.Status204NoContent).ProducesProblem(StatusCodes.Status404NotFound);
        group.MapDelete("", RemoveByEndpointAsync).WithName("RemoveSubscriptionByEndpoint")
            .Produces(StatusCodes.Status204NoContent).ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status404NotFound)
            .AddOpenApiOperationTransformer(static (operation, _, _) =>
            {
                ((OpenApiParameter)operation.Parameters![0]).Required = true;
                return Task.CompletedTask;
            });
    }

    private static async Task<IResult> RegisterAsync(
        HttpRequest request, ClaimsPrincipal user, SubscriptionRegistry registry, PushServiceAllowList allowList, VapidKeyRing keys, CancellationToken cancellationToken)
    {
        if (await RequestBody.ReadAsync(request, MaxBodyBytes, cancellationToken) is not { } body)
        {
            return Problems.TooLarge($"A subscription is at most {MaxBodyBytes / 1024} KiB of JSON.");
        }

        PushSubscription subscription;
        RegistrationJson registration;
        try
        {
            subscription = PushSubscription.Parse(body.Span);
            registration = ReadRegistration(body);
        }
        catch (PushSubscriptionException exception)
        {
            return Problems.Of(StatusCodes.Status400BadRequest, exception.Code, exception.Message);
        }

        if (string.Equals(subscription.Endpoint.IdnHost, DeadOnArrival, StringComparison.OrdinalIgnoreCase))
        {
            return Problems.Of(StatusCodes.Status400BadRequest, PushSubscriptionException.EndpointNotAllowed, "The browser has removed this subscription for good; ask the user for permission and subscribe again.");
        }

        if (allowList.Refuses(subscription.Endpoint) is { } refused)
        {
            return Problems.Of(StatusCodes.Status400BadRequest, PushSubscriptionException.EndpointNotAllowed, refused);
        }

        if (registration.ApplicationServerKey is { } named && keys.Find(named) is null)
        {
            return Problems.Of(StatusCodes.Status400BadRequest, PushSubscriptionException.InvalidKeys, "The subscription was made with an application server key that this service does not have; subscribe with the one that GET /api/vapid-public-key gives.");
        }

        return await registry.RegisterAsync(user.UserId(), subscription, registration.ApplicationServerKey, request.Headers.UserAgent, registration.Replaces, cancellationToken) switch
        {
            null => Problems.Of(StatusCodes.Status422UnprocessableEntity, "too_many_subscriptions", "This user has as many subscriptions as allowed; remove one that is no longer used (GET and DELETE /api/subscriptions)."),
            { IsNew: true } registered => TypedResults.Json(new RegisteredView(registered.Id, true), statusCode: StatusCodes.Status201Created),
            { } known => TypedResults.Ok(new RegisteredView(known.Id, false)),
        };
    }

    internal static RegistrationJson ReadRegistration(ReadOnlyMemory<byte> body)
    {
        try
        {
            var read = JsonSerializer.Deserialize<RegistrationJson>(body.Span, Json) ?? new RegistrationJson(null, null);
            return string.IsNullOrEmpty(read.ApplicationServerKey) ? read with { ApplicationServerKey = null } : read;
        }
        catch (JsonException)
        {
            throw new PushSubscriptionException(PushSubscriptionException.ParseError, "replaces must be the old endpoint, and applicationServerKey the key that the browser subscribed with: strings, each once.");
        }
    }

    private static async Task<IReadOnlyList<SubscriptionView>> ListAsync(ClaimsPrincipal user, NotifyDbContext db, CancellationToken cancellationToken)
    {
        var userId = user.UserId();
        var rows = await db.Subscriptions.AsNoTracking()
            .Where(subscription => subscription.UserId == userId)
            .OrderBy(subscription => subscription.CreatedAt).ThenBy(subscription => subscription.Id)
            .ToListAsync(cancellationToken);
        return [.. rows.Select(row => new SubscriptionView(row.Id, new Uri(row.Endpoint).Host, row.UserAgent, row.CreatedAt, row.LastAcceptedAt))];
    }

    private static async Task<IResult> RemoveByIdAsync(Guid id, ClaimsPrincipal user, SubscriptionRegistry registry, CancellationToken cancellationToken) =>
        await registry.RemoveAsync(user.UserId(), id, cancellationToken) ? TypedResults.NoContent() : NotYours();

    private static async Task<IResult> RemoveByEndpointAsync(string? endpoint, ClaimsPrincipal user, SubscriptionRegistry registry, CancellationToken cancellationToken) =>
        string.IsNullOrEmpty(endpoint) ? Problems.Of(StatusCodes.Status400BadRequest, "parse_error", "Give the endpoint of the subscription to remove: ?endpoint=...")
        : await registry.RemoveAsync(user.UserId(), endpoint, cancellationToken) ? TypedResults.NoContent()
        : NotYours();

    private static IResult NotYours() => Problems.Of(StatusCodes.Status404NotFound, "not_found", "This user has no such subscription.");
}

/// <summary>The body of a registration, for the OpenAPI document: PushSubscription.toJSON().</summary>
/// <param name="Endpoint">The push service's URL for this subscription.</param>
/// <param name="Keys">The user agent's keys.</param>
/// <param name="ExpirationTime">Milliseconds since 1970, or null.</param>
/// <param name="Replaces">The old endpoint of the same browser, if it changed.</param>
/// <param name="ApplicationServerKey">The key that the browser subscribed with, base64url. If absent, a new endpoint takes the service's current one and a known one keeps its own.</param>
internal sealed record PushSubscriptionJson(string Endpoint, PushSubscriptionKeysJson Keys, double? ExpirationTime = null, string? Replaces = null, string? ApplicationServerKey = null);

/// <summary>What <see cref="PushSubscription"/> leaves aside of that body.</summary>
/// <param name="Replaces">The old endpoint of the same browser, if it changed.</param>
/// <param name="ApplicationServerKey">The key that the browser subscribed with, base64url. If absent, a new endpoint takes the service's current one and a known one keeps its own.</param>
internal sealed record RegistrationJson(string? Replaces, string? ApplicationServerKey);

/// <summary>The keys of a <see cref="PushSubscriptionJson"/>.</summary>
/// <param name="P256dh">base64url of the 65-byte P-256 public key.</param>
/// <param name="Auth">base64url of the 16-byte authentication secret.</param>
internal sealed record PushSubscriptionKeysJson(string P256dh, string Auth);
