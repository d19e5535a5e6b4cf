using System.Security.Claims;
using System.Text;
using Microsoft.AspNetCore.Authorization;

namespace Notify.Authentication;

/// <summary>Who may do what.</summary>
internal static class Policies
{
    /// <summary>A user, named by the <c>sub</c> claim.</summary>
    public const string User = "user";

    /// <summary>Somebody with the scope <c>notify.publish</c>; in Development any user.</summary>
    public const string Publish = "publish";

    /// <summary>Somebody with the scope <c>notify.operate</c>; in Development any user.</summary>
    public const string Operate = "operate";

    /// <summary>The scope that lets a caller see the dashboard, and with it what every user was sent and when.</summary>
    public const string OperateScope = "notify.operate";

    /// <summary>The scope that lets a caller publish and ask after messages.</summary>
    public const string PublishScope = "notify.publish";

    private const string Subject = "sub";

    public static void AddPolicies(this AuthorizationOptions options, bool isDevelopment)
    {
        options.AddPolicy(User, policy => policy.RequireAssertion(context => IsUserId(context.User.FindFirstValue(Subject))));
        AddScope(Publish, PublishScope);
        AddScope(Operate, OperateScope);

        void AddScope(string name, string scope) =>
            options.AddPolicy(name, policy => policy.RequireAuthenticatedUser().RequireAssertion(context => isDevelopment || HasScope(context.User, scope)));
    }

    /// <summary>The user's id, where <see cref="User"/> has let them in.</summary>
    public static string UserId(this ClaimsPrincipal user) => user.FindFirstValue(Subject)!;

    /// <summary>Whether this can name a user: 1 to 256 characters, none a control character, no space at either end (SQL Server takes "ada" and "ada " for one), well-formed UTF-16.</summary>
    public static bool IsUserId(string? id) => id is { Length: > 0 and <= 256 } && !id.Any(char.IsControl) && id.Trim().Length == id.Length && id.IsWellFormed();

    // A lone surrogate has no UTF-8, and so no place in a store.
    private static bool IsWellFormed(this string text)
    {
        for (var i = 0; i < text.Length;)
        {
            if (!Rune.TryGetRuneAt(text, i, out var rune))
            {
                return false;
            }

            i += rune.Utf16SequenceLength;
        }

        return true;
    }

    // RFC 8693 section 4.2: one string, scopes apart by spaces; some issuers write scp, or an array, of which each string is a claim. The text of an object is none.
    private static bool HasScope(ClaimsPrincipal user, string scope) =>
        user.FindAll(claim => claim is { Type: "scope" or "scp", ValueType: ClaimValueTypes.String }).Any(claim => claim.Value.Split(' ').Contains(scope, StringComparer.Ordinal));
}
