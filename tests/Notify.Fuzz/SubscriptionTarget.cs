using System.Text.Json;
using Notify.Subscriptions;
using Notify.WebPush;
using static Notify.Fuzz.BrokenPromiseException;

namespace Notify.Fuzz;

/// <summary>The body of a registration, as far as the store: parsed, matched against the allow list, digested.</summary>
internal static class SubscriptionTarget
{
    private static readonly Sending.PushServiceAllowList AllowList = new(Microsoft.Extensions.Options.Options.Create(new Sending.PushServicesOptions()));

    public static void Run(byte[] input)
    {
        PushSubscription subscription;
        try
        {
            subscription = PushSubscription.Parse(input);
            SubscriptionsApi.ReadRegistration(input);
        }
        catch (PushSubscriptionException e)
        {
            ThrowUnless(e.Code is PushSubscriptionException.ParseError or PushSubscriptionException.InvalidKeys or PushSubscriptionException.EndpointNotAllowed, "A subscription is refused by one of three codes.");
            ThrowUnless(e.InnerException is null, "A refusal does not quote the input.");
            return;
        }

        var again = PushSubscription.Parse(JsonSerializer.SerializeToUtf8Bytes(new
        {
            endpoint = subscription.Endpoint.AbsoluteUri,
            expirationTime = subscription.ExpirationTime?.ToUnixTimeMilliseconds(),
            keys = new { p256dh = subscription.P256dh, auth = subscription.Auth },
        }));
        ThrowUnless(
            (again.Endpoint.AbsoluteUri, again.P256dh, again.Auth, again.ExpirationTime)
            == (subscription.Endpoint.AbsoluteUri, subscription.P256dh, subscription.Auth, subscription.ExpirationTime),
            "A subscription is the same after a round trip.");
        ThrowUnless(EndpointDigests.Of(subscription.Endpoint.AbsoluteUri) == EndpointDigests.OfText(subscription.Endpoint.AbsoluteUri), "An endpoint has one digest.");
        ThrowUnless(AllowList.Refuses(subscription.Endpoint) is not null || IsVendor(subscription.Endpoint), "No host but the vendors' is allowed.");
    }

    private static bool IsVendor(Uri endpoint) =>
        endpoint.Scheme == "https" && endpoint.Port == 443 && new[] { "fcm.googleapis.com", ".push.services.mozilla.com", ".push.apple.com", ".notify.windows.com" }
            .Any(vendor => endpoint.DnsSafeHost.EndsWith(vendor, StringComparison.Ordinal));
}
